/** Turns a placement with its calibration into the quantized graph. */
import { quantizationDomain } from '../../calibrate/quantization-domain.ts';
import type { QuantizationParameters } from '../../calibrate/quantization-parameters.ts';
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Value } from '../../graph/value.ts';
import type { ExpectedKernel, PassNote } from '../pass.ts';
import { insertActivationPair } from './insert.ts';
import { type LayerFacts, type LayerOptions, quantizeLayer } from './layer.ts';
import type { ComputePlan, Placement } from './placement.ts';
import { type Calibration, readersOf } from './ranges.ts';
import type { QuantizationTarget } from './targets.ts';

export interface AppliedQuantization {
  readonly counts: Record<string, number>;
  readonly notes: readonly PassNote[];
  readonly expects: readonly ExpectedKernel[];
  readonly layers: readonly LayerFacts[];
}

/** Changes `model`, whose nodes and values the placement and the calibration name. */
export function applyQuantization(
  model: Model,
  placement: Placement,
  calibration: Calibration,
  target: QuantizationTarget,
  options: LayerOptions,
): AppliedQuantization {
  const { graph } = model;
  const layers: LayerFacts[] = [];
  for (const plan of placement.compute) {
    const input = parametersOf(plan.data, placement, calibration);
    if (input === null) continue;
    layers.push(quantizeLayer(model, plan, input, calibration, target, options));
  }
  const codes = new Map<Value, Value>();
  for (const [value, { everyReader }] of placement.values) {
    const parameters = parametersOf(value, placement, calibration);
    if (parameters === null) continue;
    const readers = readersOf(value, placement, everyReader);
    if (readers.length === 0 && !(everyReader && graph.outputs.includes(value))) continue;
    codes.set(
      value,
      insertActivationPair(graph, value, parameters, readers, everyReader, quantizationDomain(model, parameters.type)),
    );
  }
  return {
    counts: {
      'layers to INT8': layers.length,
      'operators to INT8': placement.elementwise.length,
      'activations with Q/DQ': codes.size,
    },
    notes: [...notFiniteNotes(placement, calibration), ...leftNotes(placement)],
    expects: expectedKernels(placement, codes, target),
    layers,
  };
}

/** Every node that stays float, and why. */
export function leftNotes({ left }: Placement): PassNote[] {
  return left.map(({ node, reason }) => ({ message: `stays float: ${reason}`, node: node.label }));
}

/** Activations whose range does not rest on all of the data. */
function notFiniteNotes({ values }: Placement, { observations }: Calibration): PassNote[] {
  const broken = [...new Set([...values.values()].map(({ source }) => source))].flatMap((value) => {
    const batches = observations.get(value)?.notFinite ?? 0;
    return batches === 0 ? [] : [{ value, batches }];
  });
  const most = broken.reduce((a, b) => (b.batches > a.batches ? b : a), broken[0] ?? { value: null, batches: 0 });
  if (most.value === null) return [];
  return [
    {
      message: `Activations that are NaN or infinite in some batches of the calibration data, which their ranges leave out: ${broken.length}; '${most.value.name}' in ${most.batches}, the most.`,
      caution: true,
    },
  ];
}

/** Drops from a placement the nodes whose values were never finite, and names them. */
export function withoutUncalibrated(placement: Placement, calibration: Calibration): ReadonlySet<Node> {
  const dropped = new Set<Node>();
  const missing = (value: Value | null): boolean =>
    value !== null && parametersOf(value, placement, calibration) === null;
  for (const plan of placement.compute) if (missing(plan.data) || missing(plan.output)) dropped.add(plan.node);
  return dropped;
}

function parametersOf(value: Value, placement: Placement, calibration: Calibration): QuantizationParameters | null {
  const source = placement.values.get(value)?.source;
  return source === undefined ? null : (calibration.parameters.get(source) ?? null);
}

/** The kernels that should run: each is named by the value that it makes in the engine's graph. */
function expectedKernels(
  placement: Placement,
  codes: ReadonlyMap<Value, Value>,
  target: QuantizationTarget,
): ExpectedKernel[] {
  const { kernels } = target;
  if (kernels === null) return [];
  const byKernel = new Map<string, { label: string; output: string }[]>();
  const expect = (node: Node, made: Value | null): void => {
    const output = made ?? node.outputs[0];
    const floatProduct = made === null && node.opType === 'MatMul';
    const kernel = floatProduct ? 'com.microsoft:MatMulIntegerToFloat' : kernels[node.opType];
    if (kernel === undefined || output == null) return;
    const nodes = byKernel.get(kernel) ?? [];
    nodes.push({ label: node.label, output: output.name });
    byKernel.set(kernel, nodes);
  };
  for (const plan of placement.compute) expect(plan.node, quantizedOutput(plan, codes));
  for (const { node, output } of placement.elementwise) expect(node, codes.get(output) ?? null);
  return [...byKernel].map(([kernel, nodes]) => ({ kernel, nodes }));
}

function quantizedOutput(plan: ComputePlan, codes: ReadonlyMap<Value, Value>): Value | null {
  return plan.output === null ? null : (codes.get(plan.output) ?? null);
}
