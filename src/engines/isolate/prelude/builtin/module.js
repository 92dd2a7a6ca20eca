const modules = require("guest/modules");

module.exports = class Module {};
module.exports.builtinModules = modules.names();
module.exports.isBuiltin = modules.isBuiltin;
module.exports.createRequire = (path) => modules.requireFrom(`${path}`.replace(/^file:\/\//, ""));
module.exports.Module = module.exports;
