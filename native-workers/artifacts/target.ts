/**
 * What a target is: a format for devices, with what it can express, how it is written and the runtime that proves it. A target
 * is a file here, with its options in a file of their own; a new one is these, its test and lines in `targets.ts` and `registry.ts`.
 */
import type { z } from 'zod';
import type { DType } from '../graph/dtype.ts';
import type { Model } from '../graph/model.ts';
import type { Value } from '../graph/value.ts';
import type { Engine, Feeds, SessionOptions } from '../lib/engine.ts';
import type { LoadRow, unsupportedNodeSchema } from '../protocol/package-facts.ts';
import type { Preprocess } from '../protocol/request.ts';
import type { TargetFacts } from './target-facts.ts';

export interface Coverage {
  readonly nodes: number;
  readonly supported: number;
  readonly unsupported: readonly z.infer<typeof unsupportedNodeSchema>[];
}

/** A copy of a model with numbers for all sizes, constants folded and the types of its values known. */
export interface PreparedModel {
  readonly model: Model;
  /** null for what only running tells. */
  typeOf(value: Value): { readonly dtype: DType; readonly shape: readonly number[] } | null;
  /** The sizes that were chosen for dimensions that the model leaves open, by input: `[1, 64]`. */
  readonly chosen: ReadonlyMap<string, readonly number[]>;
}

export interface TargetContext {
  readonly engine: Engine;
  /** Path of the model that `model` was read from, for engines that convert files. */
  readonly source: string;
  /** An empty folder that lives as long as the job. */
  readonly scratch: string;
  /** The model for formats of fixed sizes, with this size where inputs leave the batch open (1 unless said); made once each. */
  prepared(batch?: number): Promise<PreparedModel>;
  /** How the data is prepared for the model, where that is known. */
  readonly preprocess?: Preprocess | null;
  /** ONNX or ORT files of the other models that ship in the same package, for lists that must cover all of them. */
  readonly companions?: readonly string[];
  progress(done: number, total: number, what: string): Promise<void>;
}

/** One operator of an artifact, and what of the model it stands for. */
export interface ArtifactOperator {
  /** Its place among the artifact's operators, from 0. */
  readonly index: number;
  /** As the format calls it: `CONV_2D`, `layer_norm`. */
  readonly type: string;
  /** What it makes, as the artifact names it. */
  readonly outputs: readonly string[];
  /** Labels of the model's nodes that it computes, wholly or in part: two where one was fused into the other. */
  readonly sources: readonly string[];
}

export interface WrittenArtifact {
  /** Of the main file or folder, relative to the target's folder. */
  readonly path: string;
  /** Further main files with the same signature, for other devices or loaded in another way; each is checked too. */
  readonly variants?: readonly WrittenVariant[];
  /** All files, relative likewise. */
  readonly files: readonly string[];
  /** What the device must have: `{ iOS: '16' }`. */
  readonly requires: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  /** How inputs and outputs are called and laid out in the artifact, where that is not as in the model. */
  readonly signature: ArtifactSignature;
  /** Where it will load; made from `requires` where the target does not say. See `loads.ts`. */
  readonly loads?: readonly LoadRow[];
  /** The operators of the main file in its order, made when asked for: what a check that failed names them by. */
  readonly operators?: () => readonly ArtifactOperator[] | Promise<readonly ArtifactOperator[]>;
  /** In place of the target's, where it depends on the options (float16). */
  readonly tolerance?: ArtifactTarget['tolerance'];
  /** What makes the main file alone, where the options made variants beside it. */
  readonly options?: object;
}

export interface WrittenVariant {
  /** As that of `WrittenArtifact`. */
  readonly path: string;
  /** What makes this file and no other, for the check and the search for what differs. */
  readonly options: object;
}

export interface ArtifactSignature {
  readonly inputs: readonly SignatureValue[];
  readonly outputs: readonly SignatureValue[];
}

export interface SignatureValue {
  /** In the model. */
  readonly source: string;
  /** In the artifact. */
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string | null)[];
  /** Of integers that stand for real numbers: real = (stored - zeroPoint) * scale. */
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number };
  /** The artifact takes a picture here, of pixels 0 to 255, and not an array. */
  readonly isPicture?: true;
  /** Of a picture: what the artifact makes of each pixel from 0 to 255, by channel (or for all), `pixel * scale + bias`. */
  readonly pixels?: { readonly scale: readonly number[]; readonly bias: readonly number[] };
  /** Of a float output that is computed from integers: the real value of one step of them. */
  readonly step?: number;
}

/** A loaded artifact on its own runtime, in this process; `run` takes and gives tensors under the names of the source model. */
export interface ArtifactSession {
  run(feeds: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

export interface TargetRuntime {
  /** As the report names it: `LiteRT 2.5.3 (wasm)`. */
  readonly name: string;
  /** Opens the artifact at `path`. `log` gets each line that the runtime prints. */
  open(path: string, signature: ArtifactSignature, log: (line: string) => void): Promise<ArtifactSession>;
}

export interface ArtifactTarget<Options extends object = object> extends TargetFacts<Options> {
  /** What of the model the format can express, before anything is written. */
  coverage(model: Model, options: Options, context: TargetContext): Coverage | Promise<Coverage>;
  /** Writes into `folder`, which exists and is empty. Throws `operator-unsupported` naming the first node that cannot be. */
  write(model: Model, folder: string, options: Options, context: TargetContext): Promise<WrittenArtifact>;
  /**
   * The module that holds the runtime, as a path from `native-workers/`, exporting `openRuntime(): Promise<TargetRuntime>`: it
   * is loaded in a process of its own, since some runtimes end the process when they fail.
   */
  readonly runtimeModule: string;
  /** Further runtimes that the artifact must run on where they are, as modules of the same kind, with their names. */
  readonly otherRuntimes?: readonly { readonly title: string; readonly module: string }[];
  /**
   * How the engine must run the source model to be the reference, where its usual way is another arithmetic than the
   * device's: it rounds int8 differently on x86-64 and on ARM.
   */
  referenceOptions?(options: Options): SessionOptions;
  /** Tolerances of the check, against the largest reference value. */
  readonly tolerance: { readonly float: number; readonly steps: number };
}
