/**
 * Integer kernels exist from opset 10 on; models of opset 7 to 9 are raised to it. Most operators stand as they are; those that
 * opsets 8, 9 and 10 changed in form are rewritten (Changelog.md of ONNX).
 */
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import { addConstant } from '../edit.ts';

/** The first opset with QLinearConv and QLinearMatMul, which ONNX Runtime makes of Q/DQ pairs. */
const NEEDED = 10;
/** Opset 7 gave the arithmetic operators the broadcasting that they still have. */
const OLDEST = 7;

/** Operators whose meaning changed so that no rewriting of the node alone keeps it: why, or null where this one means the same. */
const MEANING: Readonly<Record<string, (node: Node, opset: number) => string | null>> = {
  // Scan-9 dropped the batch axis that Scan-8 runs along.
  Scan: (_, opset) => (opset < 9 ? 'scans along a batch axis' : null),
  // `spatial` 0 normalized each activation apart; opset 9 dropped it.
  BatchNormalization: (node) => (node.int('spatial', 1) === 0 ? 'normalizes each activation apart' : null),
};

/** Operators whose attributes became inputs, or whose name changed. */
const REWRITES: Readonly<Record<string, (node: Node) => void>> = {
  Slice: (node) => {
    const starts = integers(node, 'starts');
    for (const [index, name] of ['starts', 'ends', 'axes'].entries()) {
      attributeToInput(node, name, index + 1, node.attributes.has(name) ? integers(node, name) : [...starts.keys()]);
    }
  },
  TopK: (node) => attributeToInput(node, 'k', 1, integers(node, 'k')),
  // Resize-10 samples as Upsample did: at the output's index over the scale.
  Upsample: (node) => {
    node.opType = 'Resize';
    const scales = node.attributes.get('scales');
    if (scales?.type === 'floats' && node.graph !== null) {
      const values = Float32Array.from(scales.value);
      node.setInput(1, addConstant(node.graph, `${node.label}_scales`, 'float32', [values.length], values));
    }
    node.attributes.delete('scales');
  },
};

/** Raises the model to opset 10 where it is older and keeps its meaning; returns why that cannot be, or null. */
export function raiseOpset(model: Model): string | null {
  const { opset } = model;
  if (opset >= NEEDED) return null;
  if (opset < OLDEST) return `The model is of opset ${opset}, which has no integer kernels.`;
  const changed: Node[] = [];
  for (const node of model.graph.allNodes()) {
    if (node.domain !== '') continue;
    const reason = MEANING[node.opType]?.(node, opset) ?? null;
    if (reason !== null) {
      return `The model is of opset ${opset}, which has no integer kernels, and ${node.label} ${reason}, which newer opsets cannot say.`;
    }
    if (REWRITES[node.opType] !== undefined) changed.push(node);
  }
  for (const node of changed) REWRITES[node.opType]?.(node);
  model.opsets.set('', NEEDED);
  return null;
}

/** As they stand: an end of 2^63 - 1, which means "to the last", is no number of JavaScript. */
function integers(node: Node, name: string): readonly bigint[] {
  const attribute = node.attributes.get(name);
  if (attribute?.type === 'int') return [attribute.value];
  return attribute?.type === 'ints' ? attribute.value : [];
}

/** Moves an attribute of integers to the input at `index`, as a constant of int64. */
function attributeToInput(node: Node, name: string, index: number, values: readonly (bigint | number)[]): void {
  const { graph } = node;
  if (graph === null) return;
  const content = BigInt64Array.from(values, BigInt);
  node.setInput(index, addConstant(graph, `${node.label}_${name}`, 'int64', [content.length], content));
  node.attributes.delete(name);
}
