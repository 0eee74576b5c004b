/**
 * Finds the operator that an artifact computes differently, when its outputs differ from the model's. The model is written
 * again with a value inside it as a further output, and that value compared; halving the operators in topological order needs
 * about log2(operators) such artifacts. Along branches the answers need not be in order, so the operator that is found is
 * accepted only when all it reads agrees; else the search goes on above the operand that does not.
 */
import type { ArtifactOperator } from '../artifacts/target.ts';
import { cloneModel } from '../graph/clone.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { predecessors, topologicalOrder } from '../graph/traversal.ts';
import { tensorType, type ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, Session } from '../lib/engine.ts';
import { toHoneError } from '../protocol/errors.ts';
import { operatorsOf, operatorsText } from './artifact-operators.ts';
import { Comparison, type Difference } from './compare.ts';

/** An artifact made of a model with further outputs; `run` gives tensors under the names of the model. */
export interface ProbedArtifact {
  run(feeds: Feeds): Promise<Feeds>;
  /** All of its operators; may be asked after `release`. Empty where the format does not tell. */
  operators(): Promise<readonly ArtifactOperator[]>;
  release(): Promise<void>;
}

export interface BisectRequest {
  readonly model: Model;
  /** Of values inside the model, where known: only tensors can be looked at. */
  readonly types: ReadonlyMap<Value, ValueType>;
  /** The reference. */
  readonly open: (model: Model) => Promise<Session>;
  readonly artifactOf: (model: Model) => Promise<ProbedArtifact>;
  /** The first sample on which the outputs differ is used. */
  readonly inputs: readonly Feeds[];
  /** Whether a difference is too large. */
  readonly differs: (difference: Difference) => boolean;
  readonly progress: (done: number, total: number) => Promise<void>;
}

export interface Divergence {
  readonly node: string;
  readonly type: string;
  /** The operators that it became in the artifact, in words; the value where that is not known. */
  readonly artifact: string;
  /** The first and the last of them. */
  readonly operators: { index: number; type: string; outputs: string[] }[];
  readonly maxAbs: number;
}

interface Look {
  readonly difference: Difference;
  readonly differs: boolean;
}

/** null when the outputs agree, or when no artifact with further outputs could be made. Throws `cancelled` only. */
export async function firstDivergence(request: BisectRequest): Promise<Divergence | null> {
  const { graph } = request.model;
  const order = topologicalOrder(graph);
  const looks = new Map<Node, Look | null>();
  const start = await differingOutputs(request);
  if (start === null) return null;
  const total = Math.ceil(Math.log2(order.length + 1)) + 2;
  const look = async (node: Node): Promise<Look | null> => {
    const known = looks.get(node);
    if (known !== undefined) return known;
    await request.progress(Math.min(looks.size, total), total);
    const seen = await lookAt(request, node, start.feeds);
    looks.set(node, seen);
    return seen;
  };
  let [suspect] = start.producers;
  for (let round = 0; suspect !== undefined && round < order.length; round++) {
    const scope = ancestors(graph, suspect);
    const found: Node = await halve(
      order.filter((node) => scope.has(node)),
      look,
    );
    let above: Node | undefined;
    for (const operand of new Set(predecessors(graph, found))) {
      if ((await look(operand))?.differs === true) above = operand;
      if (above !== undefined) break;
    }
    if (above === undefined) {
      const seen = await look(found);
      if (seen === null) return null;
      // In the artifact as it ships, not in one with further outputs.
      const operators = operatorsOf(found, await start.artifact.operators());
      return {
        node: found.label,
        type: found.opType,
        artifact: operatorsText(operators) ?? found.outputs[0]?.name ?? '',
        operators: ends(operators).map(({ index, type, outputs }) => ({ index, type, outputs: [...outputs] })),
        maxAbs: Number.isFinite(seen.difference.maxAbs) ? seen.difference.maxAbs : Number.MAX_VALUE,
      };
    }
    suspect = above;
  }
  return null;
}

/** The first and the last; the one when there is but one. */
function ends<Item>(items: readonly Item[]): Item[] {
  return items.filter((_, index) => index === 0 || index === items.length - 1);
}

/** The first of `nodes` that differs where the one before agrees; the last is known to differ. Nodes without an answer drop out. */
async function halve(nodes: Node[], look: (node: Node) => Promise<Look | null>): Promise<Node> {
  let low = -1;
  let high = nodes.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const seen = await look(nodes[middle] as Node);
    if (seen === null) {
      nodes.splice(middle, 1);
      high--;
    } else if (seen.differs) high = middle;
    else low = middle;
  }
  return nodes[high] as Node;
}

async function differingOutputs({
  model,
  open,
  artifactOf,
  inputs,
  differs,
}: BisectRequest): Promise<{ feeds: Feeds; producers: Node[]; artifact: ProbedArtifact } | null> {
  const reference = await open(model);
  let artifact: ProbedArtifact | null = null;
  try {
    artifact = await artifactOf(model);
    for (const feeds of inputs) {
      const [expected, actual] = [await reference.run(feeds), await artifact.run(feeds)];
      const producers = model.graph.outputs.flatMap((output) => {
        const [one, other] = [expected[output.name], actual[output.name]];
        if (one === undefined || output.producer === null) return [];
        const comparison = new Comparison();
        comparison.add({ [output.name]: one }, other === undefined ? {} : { [output.name]: other });
        return differs(comparison.result()) ? [output.producer] : [];
      });
      if (producers.length > 0) return { feeds, producers, artifact };
    }
    return null;
  } finally {
    await artifact?.release();
    await reference.release();
  }
}

/** Compares what one node makes. null when its values cannot be put out. */
async function lookAt(request: BisectRequest, node: Node, feeds: Feeds): Promise<Look | null> {
  const exposed = expose(request, node);
  if (exposed === null) return null;
  let reference: Session | null = null;
  let artifact: ProbedArtifact | null = null;
  try {
    reference = await request.open(exposed.model);
    artifact = await request.artifactOf(exposed.model);
    const [expected, actual] = [await reference.run(feeds), await artifact.run(feeds)];
    const pick = (values: Feeds): Feeds =>
      Object.fromEntries(Object.entries(values).filter(([name]) => exposed.names.includes(name)));
    const comparison = new Comparison();
    comparison.add(pick(expected), pick(actual));
    const difference = comparison.result();
    return { difference, differs: request.differs(difference) };
  } catch (thrown) {
    if (toHoneError(thrown).code === 'cancelled') throw thrown;
    return null;
  } finally {
    await artifact?.release();
    await reference?.release();
  }
}

function expose({ model, types }: BisectRequest, node: Node): { model: Model; names: string[] } | null {
  const clone = cloneModel(model);
  const names: string[] = [];
  for (const output of node.outputs) {
    if (output === null || output.name === '') continue;
    const copy = clone.values.get(output);
    if (copy === undefined) continue;
    if (!clone.model.graph.outputs.includes(copy)) {
      const type = types.get(output) ?? output.type;
      if (type?.kind !== 'tensor' || type.dtype === null || type.dtype === 'string') continue;
      copy.type = tensorType(type.dtype, type.shape);
      clone.model.graph.outputs.push(copy);
    }
    names.push(copy.name);
  }
  return names.length === 0 ? null : { model: clone.model, names };
}

function ancestors(graph: Graph, node: Node): Set<Node> {
  const found = new Set([node]);
  const open = [node];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const producer of predecessors(graph, next)) {
      if (found.has(producer)) continue;
      found.add(producer);
      open.push(producer);
    }
  }
  return found;
}
