/*
 * Node's `url` binding. Parsing is the host's own WHATWG parser, by strings; where the parts of a normalised
 * URL begin is found here.
 */
const { NumberParseInt, StringPrototypeIndexOf, Uint32Array } = primordials;
const { codes } = require("internal/errors");

const OMITTED = 0xffffffff;
const SCHEMES = { __proto__: null, "http:": 0, "https:": 2, "ws:": 3, "ftp:": 4, "wss:": 5, "file:": 6 };
/** Setters by the number that lib/internal/url.js gives each. */
const SETTERS = [
  "protocol",
  "host",
  "hostname",
  "port",
  "username",
  "password",
  "pathname",
  "search",
  "hash",
  "href",
];
const URL_BYTES_MAX = 1 << 20;

exports.urlComponents = new Uint32Array(9);

function note(href) {
  const parts = exports.urlComponents;
  const protocolEnd = StringPrototypeIndexOf(href, ":") + 1;
  const hash = StringPrototypeIndexOf(href, "#");
  const beforeHash = hash < 0 ? href.length : hash;
  const query = StringPrototypeIndexOf(href, "?");
  const search = query < 0 || query > beforeHash ? -1 : query;
  const pathEnd = search < 0 ? beforeHash : search;
  parts[0] = parts[1] = parts[2] = parts[3] = parts[5] = protocolEnd;
  parts[4] = OMITTED;
  if (href[protocolEnd] === "/" && href[protocolEnd + 1] === "/") {
    const slash = StringPrototypeIndexOf(href, "/", protocolEnd + 2);
    const authorityEnd = slash < 0 || slash > pathEnd ? pathEnd : slash;
    const at = StringPrototypeIndexOf(href, "@", protocolEnd);
    const hasUser = at >= 0 && at < authorityEnd;
    const colon = StringPrototypeIndexOf(href, ":", protocolEnd + 2);
    parts[1] = hasUser ? (colon >= 0 && colon < at ? colon : at) : protocolEnd + 2;
    parts[2] = hasUser ? at : protocolEnd + 2;
    let hostEnd = authorityEnd;
    for (let i = authorityEnd - 1; i > parts[2] && href[i] !== "]"; i--) if (href[i] === ":") hostEnd = i;
    parts[3] = hostEnd;
    if (hostEnd < authorityEnd) parts[4] = NumberParseInt(href.slice(hostEnd + 1, authorityEnd), 10);
    parts[5] = authorityEnd;
  }
  parts[6] = search < 0 ? OMITTED : search;
  parts[7] = hash < 0 ? OMITTED : hash;
  parts[8] = SCHEMES[href.slice(0, protocolEnd)] ?? 1;
  return href;
}

const ask = (operation, input, other) =>
  input.length > URL_BYTES_MAX || (other?.length ?? 0) > URL_BYTES_MAX
    ? undefined
    : host.url(operation, input, other);

exports.parse = (input, base, raiseException) => {
  const href = ask("parse", input, base);
  if (href !== undefined) return note(href);
  if (raiseException) throw new codes.ERR_INVALID_URL(input, base);
  return undefined;
};
exports.canParse = (input, base) => ask("parse", input, base) !== undefined;
exports.update = (href, action, value) => {
  const updated = ask(SETTERS[action], href, value);
  return updated === undefined ? false : note(updated);
};
exports.getOrigin = (href) => ask("origin", href);
exports.domainToASCII = (domain) => ask("domainToASCII", domain) ?? "";
exports.domainToUnicode = (domain) => ask("domainToUnicode", domain) ?? "";
exports.pathToFileURL = (path) => exports.parse(ask("pathToFileURL", path), undefined, true);
exports.format = (href, hash, unicode, search, auth) =>
  ask("format", href, `${hash ? 1 : 0}${unicode ? 1 : 0}${search ? 1 : 0}${auth ? 1 : 0}`);
