/* There are no blobs; streams ask whether a value is one. */
exports.isBlob = () => false;
