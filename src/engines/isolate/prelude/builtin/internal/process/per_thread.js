exports.platform = "linux";
