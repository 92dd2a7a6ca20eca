/** Something to solve, with the answer that is right. */
export interface Problem {
  /** Unique within its data set; transcripts and the record of what was solved go by it. */
  readonly id: string;
  /** Family or data source; metrics are told by it. */
  readonly family: string;
  /** What the model is asked, in the language of its renderer. */
  readonly prompt: string;
  readonly answer: string;
}

/** A problem that the program itself made: it knows how one goes about it, well and badly. */
export interface Puzzle extends Problem {
  /** Python that gives the answer as its value. */
  readonly code: string;
  /** What one writes who copies the problem's notation: it ends in an error. */
  readonly slip: string;
  /** Python that runs and gives something else. */
  readonly wrong: string;
}
