/** What the integers at the ends of a quantized model stand for, whatever format it is written in. */
import type { Model } from '../graph/model.ts';
import { toNumbers } from '../graph/tensor-values.ts';
import type { Value } from '../graph/value.ts';
import type { ArtifactSignature, SignatureValue } from './target.ts';

/** Operators that move elements and change none. */
const MOVES = ['Identity', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Flatten'];
const FURTHEST = 8;

/** The signature with `quantization` where an input is dequantized at once, or an output quantized last, by one scale. */
export function withQuantization(signature: ArtifactSignature, { graph }: Model): ArtifactSignature {
  const find = (values: readonly Value[], look: (value: Value) => SignatureValue['quantization']) => {
    const byName = new Map(values.map((value) => [value.name, value]));
    return (each: SignatureValue): SignatureValue => {
      const value = byName.get(each.source);
      // Formats without such inputs and outputs have floats or wider integers there.
      const isStored = each.dtype === 'int8' || each.dtype === 'uint8' || each.dtype === 'int16';
      const quantization = value === undefined || !isStored ? undefined : look(value);
      return quantization === undefined ? each : { ...each, quantization };
    };
  };
  return {
    inputs: signature.inputs.map(find(graph.inputs, dequantized)),
    outputs: signature.outputs.map(find(graph.outputs, quantized)),
  };
}

/**
 * The largest scale of the integers that a float output is computed from; null where there are none. Where two runtimes round one of
 * these integers apart, the output is off by that much.
 */
export function stepOf(output: Value): number | null {
  if (output.type?.kind !== 'tensor' || output.type.dtype !== 'float32') return null;
  const seen = new Set([output]);
  let step: number | null = null;
  // A set may grow while it is walked.
  for (const value of seen) {
    const node = value.producer;
    if (node === null) continue;
    const [codes, scale, zeroPoint] = node.inputs;
    if (node.is('DequantizeLinear') && codes?.isConstant === false) {
      const found = parametersOf(scale, zeroPoint)?.scale;
      if (found !== undefined) step = Math.max(step ?? 0, found);
    } else for (const input of node.inputs) if (input !== null) seen.add(input);
  }
  return step;
}

function dequantized(value: Value, depth = 0): SignatureValue['quantization'] {
  for (const node of value.consumers) {
    if (node.inputs[0] !== value) continue;
    if (node.is('DequantizeLinear')) return parametersOf(node.inputs[1], node.inputs[2]);
    const [moved] = node.outputs;
    const further = node.is(...MOVES) && moved && depth < FURTHEST ? dequantized(moved, depth + 1) : undefined;
    if (further !== undefined) return further;
  }
  return undefined;
}

function quantized(value: Value): SignatureValue['quantization'] {
  let node = value.producer;
  for (let depth = 0; depth < FURTHEST && node?.is(...MOVES); depth++) node = node.inputs[0]?.producer ?? null;
  return node?.is('QuantizeLinear') ? parametersOf(node.inputs[1], node.inputs[2]) : undefined;
}

/** undefined for scales by channel, which no runtime has at its ends. */
function parametersOf(
  scale: Value | null | undefined,
  zeroPoint: Value | null | undefined,
): SignatureValue['quantization'] {
  const [one, ...more] = scale?.tensor ? toNumbers(scale.tensor) : [];
  if (one === undefined || more.length > 0) return undefined;
  if (zeroPoint && !zeroPoint.tensor) return undefined;
  return { scale: one, zeroPoint: zeroPoint?.tensor ? (toNumbers(zeroPoint.tensor)[0] ?? 0) : 0 };
}
