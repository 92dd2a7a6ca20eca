/* No snapshot of this heap is ever taken. */
exports.addAfterUserSerializeCallback = () => undefined;
exports.throwIfBuildingSnapshot = () => undefined;
exports.namespace = {
  isBuildingSnapshot: () => false,
  addSerializeCallback: () => undefined,
  addDeserializeCallback: () => undefined,
};
