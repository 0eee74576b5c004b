/** A prepared ONNX model as an ML Program, with what apps see of it. */
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { topologicalOrder } from '../../graph/traversal.ts';
import type { Value } from '../../graph/value.ts';
import { HoneError } from '../../protocol/errors.ts';
import { type ConvertOptions, classify, graphInput, graphOutput, type NamedFeature } from './features.ts';
import { toFloat16 } from './float16.ts';
import { Lowering, type SourceType } from './lower/lowering.ts';
import { reasonWithoutLowering } from './lower/reasons.ts';
import { findLowering } from './lower/registry.ts';
import { Refusal } from './lower/terms.ts';
import { Names } from './names.ts';
import type { MilFunction, MilOperation, MilPackage } from './program.ts';
import { TARGETS } from './schema.ts';

export interface Refused {
  readonly node: string;
  readonly type: string;
  readonly reason: string;
}

/** `result` is null when some node cannot be said; the list is then complete. */
export interface Attempt {
  readonly result: Conversion | null;
  readonly nodes: number;
  readonly refused: readonly Refused[];
  /** Number of the iOS version from which on weights that are floats here stay small; null when there are none. */
  readonly smallerFrom: number | null;
}

export interface Conversion {
  readonly package: MilPackage;
  /** What was done that is not as it was asked for. */
  readonly notes: readonly string[];
  readonly inputs: readonly NamedFeature[];
  readonly outputs: readonly NamedFeature[];
}

function sourceType(value: Value): SourceType | null {
  const { type, tensor } = value;
  if (tensor !== null) return { dtype: tensor.dtype, shape: tensor.shape };
  if (type?.kind !== 'tensor' || type.dtype === null || type.shape === null) return null;
  return { dtype: type.dtype, shape: type.shape.map((dim) => (typeof dim === 'number' ? dim : null)) };
}

/** Every node that cannot be said is listed with its reason. Throws `invalid-options` for labels that are not the classes. */
export function convert(model: Model, options: ConvertOptions): Attempt {
  const { graph } = model;
  const names = new Names();
  const target = TARGETS[options.target];
  const lowering = new Lowering(sourceType, names, {
    target: target.number,
    weights: options.weights,
    opset: model.opset,
  });
  const refused: Refused[] = [];
  const attempt = (node: string, type: string, work: () => void): void => {
    try {
      work();
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      refused.push({ node, type, reason: thrown.message });
    }
  };
  const main: MilFunction = { opset: target.opset, inputs: [], operations: lowering.operations, outputs: [] };
  const inputs: NamedFeature[] = [];
  for (const value of graph.inputs) {
    if (value.isConstant || value.consumers.size === 0) continue;
    attempt(value.name, 'input', () => inputs.push(graphInput(value, lowering, main, options, inputs.length === 0)));
  }
  const nodes = topologicalOrder(graph);
  for (const node of nodes) {
    lowering.begin(node);
    attempt(node.label, typeName(node), () => {
      const lower = findLowering(node);
      if (lower === null) throw new Refusal(reasonWithoutLowering(node));
      lower(node, lowering);
    });
  }
  const outputs: NamedFeature[] = [];
  for (const value of graph.outputs) {
    attempt(value.name, 'output', () => outputs.push(graphOutput(value, lowering, main)));
  }
  const { smallerFrom } = lowering;
  if (refused.length > 0) return { result: null, nodes: nodes.length, refused: rootCauses(refused), smallerFrom };
  removeUnread(main);
  if (options.precision === 'float16') toFloat16(main, names, target.number);
  const classifier = options.labels === undefined ? null : classify(main, names, outputs, options.labels);
  const features = outputs.map(({ feature }) => feature);
  const result: Conversion = {
    inputs,
    outputs,
    notes: [...lowering.notes],
    package: {
      specification: target.specification,
      main,
      inputs: inputs.map(({ feature }) => feature),
      outputs: classifier === null ? features : [...features, ...classifier.features],
      ...(classifier === null ? {} : { predicted: classifier.predicted }),
      metadata: {
        description: model.docString.slice(0, 1000),
        version: options.metadata?.version ?? '',
        author: options.metadata?.author ?? '',
        license: options.metadata?.license || (model.metadata.get('license') ?? ''),
      },
    },
  };
  return { result, nodes: nodes.length, refused, smallerFrom };
}

const typeName = (node: Node): string => (node.domain === '' ? node.opType : `${node.domain}:${node.opType}`);

/** Without those that only lack an input because another node was refused. */
function rootCauses(refused: readonly Refused[]): Refused[] {
  const roots = refused.filter(({ reason }) => !reason.endsWith('is made by an operator that is not converted'));
  return roots.length > 0 ? roots : [...refused];
}

/** `operator-unsupported` with the first of the nodes that cannot be said, and how many there are. */
export function refusalError({ refused, nodes }: Attempt): HoneError {
  const [first] = refused;
  const shown = refused.slice(0, 5).map(({ node, type, reason }) => `${type} ${node}: ${reason}`);
  return new HoneError(
    'operator-unsupported',
    `${refused.length} of ${nodes} nodes cannot be said in Core ML. ${shown.join('; ')}.`,
    first === undefined ? {} : { where: { node: first.node } },
  );
}

function removeUnread(main: MilFunction): void {
  const needed = new Set<unknown>(main.outputs);
  const kept: MilOperation[] = [];
  for (const operation of main.operations.toReversed()) {
    if (!operation.outputs.some((output) => needed.has(output))) continue;
    kept.push(operation);
    for (const argument of [...operation.inputs.values()].flat()) needed.add(argument);
  }
  main.operations.splice(0, main.operations.length, ...kept.reverse());
}
