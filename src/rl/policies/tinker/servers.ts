/** How servers of the Tinker protocol differ, as far as a client must know before it asks. */

export const TINKER_SERVERS = ["hosted", "skyrl", "tuft", "verl", "rollcall"] as const;
export type TinkerServer = (typeof TINKER_SERVERS)[number];

export interface ServerTraits {
  /** Form of forward_backward that is tried first; a server that refuses it is asked in the other. */
  readonly encoding: "protobuf" | "json";
  /** It unpacks `Content-Encoding: zstd`; the hosted service tells by its client configuration instead. */
  readonly zstd: boolean;
  /** All turns of one trajectory may use one seq_id, which keeps them on one inference engine. */
  readonly sticky: boolean;
  /** More models than one can live at once, so the reduction can be measured on one that is thrown away. */
  readonly manyModels: boolean;
}

export const SERVER_TRAITS: Readonly<Record<TinkerServer, ServerTraits>> = {
  hosted: { encoding: "protobuf", zstd: false, sticky: false, manyModels: true },
  skyrl: { encoding: "protobuf", zstd: true, sticky: true, manyModels: true },
  // TuFT keeps a history by seq_id: the same one twice would be the same request.
  tuft: { encoding: "protobuf", zstd: false, sticky: false, manyModels: true },
  verl: { encoding: "json", zstd: false, sticky: false, manyModels: false },
  rollcall: { encoding: "protobuf", zstd: true, sticky: false, manyModels: false },
};
