/* inspect() greys Node's own frames by this; without colours it makes no difference. */
exports.BuiltinModule = {
  exists: () => false,
  canBeRequiredByUsers: () => false,
  normalizeRequirableId: () => undefined,
};
