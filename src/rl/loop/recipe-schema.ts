/**
 * One schema for a run's recipe: what may be set, its default and its meaning. A recipe file and dotted overrides are
 * read against it; the resolved recipe is the run's `config.json`.
 */
import { Type, type Static, type TSchema } from "typebox";
import { FAMILY_NAMES, PRELUDE } from "../tasks/families.ts";

const closed = { additionalProperties: false } as const;

function text(byDefault: string, description: string) {
  return Type.String({ default: byDefault, description });
}

function whole(byDefault: number, minimum: number, maximum: number, description: string) {
  return Type.Integer({ default: byDefault, minimum, maximum, description });
}

function real(byDefault: number, minimum: number, maximum: number, description: string) {
  return Type.Number({ default: byDefault, minimum, maximum, description });
}

function flag(byDefault: boolean, description: string) {
  return Type.Boolean({ default: byDefault, description });
}

function oneOf<const T extends string>(names: readonly T[], byDefault: T, description: string) {
  return Type.Unsafe<T>({ type: "string", enum: [...names], default: byDefault, description });
}

function part<const T extends Record<string, TSchema>>(fields: T) {
  return Type.Object(fields, { ...closed, default: {} });
}

const probability = (byDefault: number, description: string) => real(byDefault, 0, 1, description);

const RunSchema = part({
  name: text("", "Directory of the run below `run.directory`. Empty: the time of the start."),
  directory: text("runs", "Where runs are kept."),
  seed: whole(1, 0, 2 ** 31, "All of the run's randomness follows from it."),
  checkpointEvery: whole(10, 1, 100_000, "Steps between checkpoints."),
  checkpointsKept: whole(
    2,
    1,
    1000,
    "Checkpoints kept; older ones are removed once a newer one is complete.",
  ),
  transcriptsEvery: whole(1, 1, 100_000, "Steps between transcripts."),
  tensorboard: flag(false, "Write measurements as TensorBoard event files too, in the run's directory."),
});

const ServiceSchema = part({
  url: text("", "The service to send tool calls to. Empty: one is started on loopback for the run."),
  key: text("", "Bearer key; `$NAME` takes it from the environment."),
  connections: whole(64, 1, 4096, "Requests in flight at once."),
  patienceS: whole(600, 0, 86_400, "How long a service that is away is waited for. Seconds."),
});

const EngineSchema = Type.Object(
  {
    backend: text("embedded", "Model backend: its name in `src/rl/policies/registry.ts`."),
  },
  { default: {}, description: "Besides `backend` what that backend takes; see docs/training.md." },
);

const DataSchema = part({
  source: oneOf(["puzzles", "file"], "puzzles", "The built-in puzzles, or a JSONL or Parquet file."),
  families: Type.Array(Type.Unsafe<(typeof FAMILY_NAMES)[number]>({ type: "string", enum: FAMILY_NAMES }), {
    default: [...FAMILY_NAMES],
    minItems: 1,
    description: "Families of puzzles.",
  }),
  dialect: oneOf(["tiny", "english"], "tiny", "How the puzzles are told."),
  train: whole(4096, 1, 10_000_000, "Puzzles to train on; of a file, rows at most."),
  heldOut: whole(128, 1, 100_000, "Problems held out for evaluation."),
  file: text("", "JSONL or Parquet file to train on."),
  heldOutFile: text("", "JSONL or Parquet file of the evaluation."),
  promptColumn: text("prompt", "Column of the problem; a dot goes into a structure."),
  answerColumn: text("answer", "Column of the reference answer."),
  idColumn: text("", "Column of an id. Empty: the row's number."),
  template: text("{prompt}", "What the model is asked; `{prompt}` stands for the problem."),
  system: text("", "System prompt."),
  grade: oneOf(
    ["exact", "math"],
    "exact",
    "How answers are compared: as texts, or by the service as mathematics.",
  ),
});

const ToolSchema = part({
  prelude: text(PRELUDE, "Python before each program, on one line."),
  wallMs: whole(4000, 10, 600_000, "Wall time of a tool call. Milliseconds."),
  format: oneOf(["compact", "full"], "compact", "How results are told: a mark, or text with tracebacks."),
  responseCharactersMax: whole(1000, 8, 1_000_000, "Longest tool response. Characters."),
});

const SftSchema = part({
  steps: whole(400, 0, 1_000_000, "Steps of imitation before the first policy step; 0 for none."),
  batch: whole(32, 1, 100_000, "Trajectories in a step."),
  trajectories: whole(2048, 1, 10_000_000, "Trajectories that the teacher writes."),
  learningRate: real(4e-3, 0, 1, "Peak; falls linearly to a tenth."),
  warmupSteps: whole(20, 0, 100_000, "Steps over which the rate rises."),
  guess: probability(0.1, "Teacher: answers without the tool."),
  slip: probability(0.5, "Teacher: copies a notation that ends in an error, then mends it."),
  wrong: probability(0.5, "Teacher: computes something else."),
  misread: probability(0.03, "Teacher: answers something else than the response."),
  repeat: probability(0.1, "Teacher: says the answer twice."),
});

const AlgorithmSchema = part({
  kind: oneOf(["grpo-roc", "grpo"], "grpo-roc", "With or without Resample on Correct."),
  prompts: whole(16, 1, 100_000, "Problems in a step."),
  groupSize: whole(6, 2, 1024, "Rollouts of each problem that are kept, G."),
  oversampling: whole(2, 1, 16, "Rollouts sampled for each one kept, under grpo-roc."),
  variant: oneOf(["paper", "released"], "paper", "Drawn by inverse penalty, or sorted and cut."),
  countErrorsBy: oneOf(
    ["outcome", "word"],
    "outcome",
    "Tool errors by their outcome, or by the word `error`.",
  ),
  penaltyFloor: real(0.05, 0, 2, "Smaller penalties count as this in the draw; 0 draws clean ones first."),
  clipLow: real(0.2, 0, 1, "Below 1, the ratio's bound."),
  clipHigh: real(0.28, 0, 10, "Above 1, the ratio's bound."),
  minibatches: whole(2, 1, 1024, "Optimizer steps for each step's rollouts."),
});

const OptimizerSchema = part({
  learningRate: real(6e-4, 0, 1, "Of policy steps; constant after the warm-up."),
  warmupSteps: whole(3, 0, 100_000, "Policy steps over which the rate rises."),
  beta1: real(0.9, 0, 0.9999, "Adam."),
  beta2: real(0.95, 0, 0.99999, "Adam."),
  epsilon: real(1e-8, 0, 1, "Adam."),
  weightDecay: real(0, 0, 10, "Decoupled."),
  gradientNormMax: real(1, 0, 1e6, "Bound on the gradient's L2 norm; 0 does not clip."),
});

const StageSchema = Type.Object(
  {
    name: Type.String({ minLength: 1, default: "rl", description: "For metrics and people." }),
    steps: whole(30, 1, 1_000_000, "Policy steps at most."),
    responseTokensMax: whole(72, 1, 10_000_000, "Tokens after the problem, tool responses included."),
    turnsMax: whole(4, 1, 1000, "Turns of the model."),
    temperature: real(1, 0, 10, "Of the rollouts."),
    resetOptimizer: flag(false, "Forget Adam's moments at the start of the stage."),
    dropSolved: whole(
      0,
      0,
      1024,
      "Drop problems solved in each of this many attempts before the stage; 0 keeps all.",
    ),
    carryOver: whole(
      0,
      0,
      100_000,
      "Groups begun beyond `algorithm.prompts`: a step ends once that many are complete, the others go on in the next. 0 waits for all.",
    ),
    carryStepsMax: whole(2, 1, 100, "Steps after which a group that is carried over is waited for."),
    sliceTokens: whole(
      512,
      1,
      1_000_000,
      "With `carryOver`: tokens of a turn between which new weights may come in.",
    ),
    integerAnswers: flag(false, "Only problems whose answer is an integer."),
    until: Type.Optional(
      Type.Object(
        {
          metric: Type.String({ description: "Name in metrics.jsonl." }),
          above: Type.Optional(Type.Number()),
          below: Type.Optional(Type.Number()),
          window: whole(5, 1, 1000, "Steps over which the metric is averaged."),
        },
        { ...closed, description: "Go on to the next stage once the metric is there." },
      ),
    ),
  },
  closed,
);

const EvaluationSchema = part({
  every: whole(5, 1, 1_000_000, "Steps between evaluations; there is one after the last step in any case."),
  attempts: whole(2, 1, 1024, "Rollouts of each held-out problem."),
  passAt: Type.Array(Type.Integer({ minimum: 1, maximum: 1024 }), {
    default: [1, 2],
    description: "Values of k for pass@k, at most `evaluation.attempts`.",
  }),
  temperature: real(0.6, 0, 10, "0 takes the likeliest token."),
  responseTokensMax: whole(72, 1, 10_000_000, "Tokens after the problem."),
  turnsMax: whole(4, 1, 1000, "Turns of the model."),
});

export const RecipeSchema = Type.Object(
  {
    run: RunSchema,
    service: ServiceSchema,
    engine: EngineSchema,
    data: DataSchema,
    tool: ToolSchema,
    sft: SftSchema,
    algorithm: AlgorithmSchema,
    optimizer: OptimizerSchema,
    stages: Type.Array(StageSchema, { minItems: 1, default: [{}], description: "One after the other." }),
    evaluation: EvaluationSchema,
  },
  closed,
);

export type Recipe = Static<typeof RecipeSchema>;
export type Stage = Recipe["stages"][number];
