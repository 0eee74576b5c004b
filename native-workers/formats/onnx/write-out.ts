/**
 * What other formats have no operators for, written out in those that they have: If, Loop and Scan as what is in them, DFT and
 * STFT as products, TfIdfVectorizer as comparisons, trees as products, ONNX Runtime's fused operators as what they were fused from. What depends on data stays as it is, for the
 * writer to refuse by name.
 */
import { cloneModel } from '../../graph/clone.ts';
import { expandFourier } from '../../graph/expand-fourier.ts';
import { expandFused, isFused } from '../../graph/expand-fused.ts';
import { expandNgrams } from '../../graph/expand-ngrams.ts';
import { expandTrees, isTrees } from '../../graph/expand-trees.ts';
import type { Graph } from '../../graph/graph.ts';
import { inlineControlFlow } from '../../graph/inline-control-flow.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';
import type { Engine } from '../../lib/engine.ts';
import { toHoneError } from '../../protocol/errors.ts';
import { inferTypes } from './infer-types.ts';

/** Bodies in bodies, and conditions that are known once an outer body was written out. */
const ROUNDS = 8;

export interface WriteOutContext {
  readonly engine: Engine;
  /** A folder for the engine's files. */
  readonly scratch: string;
  /** Computes what depends on constants alone; may change the model it is given. */
  readonly clean: (model: Model) => Promise<Model>;
  readonly types: (model: Model) => Promise<ReadonlyMap<Value, ValueType>>;
}

/** `model` is clean and is not touched; what comes back is clean. Throws what `clean` throws of what was written out. */
export async function writeOut(model: Model, context: WriteOutContext): Promise<Model> {
  const flat = await withoutControlFlow(model, context);
  if (![...flat.graph.nodes].some((node) => isWrittenOut(node))) return flat;
  const candidate = cloneModel(flat).model;
  const types = await context.types(candidate);
  const count = [expandFourier, expandNgrams, expandTrees, expandFused].reduce(
    (sum, expand) => sum + expand(candidate, types),
    0,
  );
  return count === 0 ? flat : context.clean(candidate);
}

function isWrittenOut(node: Node): boolean {
  return node.is('DFT', 'STFT', 'TfIdfVectorizer') || isTrees(node) || isFused(node);
}

/** A body that the engine takes only inside (since there it does not look at shapes) stays there. */
async function withoutControlFlow(model: Model, { engine, scratch, clean, types }: WriteOutContext): Promise<Model> {
  let best = model;
  for (let round = 0; round < ROUNDS && hasBodies(best.graph); round++) {
    const candidate = cloneModel(best).model;
    if (inlineControlFlow(candidate, await types(candidate)) === 0) break;
    try {
      const next = await clean(candidate);
      await inferTypes(next, engine, scratch);
      best = next;
    } catch (thrown) {
      if (toHoneError(thrown).code === 'cancelled') throw thrown;
      break;
    }
  }
  return best;
}

function hasBodies(graph: Graph): boolean {
  for (const node of graph.nodes) for (const _body of node.subgraphs()) return true;
  return false;
}
