/**
 * MatMul and Add of matrices as one Gemm. ONNX Runtime makes the same of them before it looks for Q/DQ pairs, and then finds a
 * Gemm whose bias has no pair and which it does not fuse (MatMulAddFusion, compression.md 1.6); with the bias quantized it does.
 */
import type { Model } from '../../graph/model.ts';
import type { Node } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { tensorFromFloat32, toFloat32 } from '../../graph/tensor-values.ts';
import type { ValueType } from '../../graph/types.ts';
import type { Value } from '../../graph/value.ts';

/**
 * Rewrites the top-level graph; returns how many products became Gemm. `types`: for values of which the file tells none.
 * `exclude`: a product stays one that is excluded by what a Gemm would not have, its operator or a label made of it.
 */
export function productsToGemm(
  model: Model,
  types: ReadonlyMap<Value, ValueType>,
  exclude: ReadonlySet<string> = new Set(),
): number {
  const { graph } = model;
  let count = 0;
  for (const node of [...graph.nodes]) {
    const found = losesExclusion(node, exclude) ? null : biasedProduct(node, types, new Set(graph.outputs));
    if (found === null) continue;
    const { data, weight, bias, tensor, add, output } = found;
    const vector =
      tensor.shape.length === 1
        ? bias
        : graph.addInitializer(
            graph.uniqueName(`${bias.name}_vector`),
            tensorFromFloat32(toFloat32(tensor), [tensor.size]),
          );
    add.setOutput(0, null);
    graph.removeNode(add);
    node.setOutput(0, null);
    graph.removeNode(node);
    graph.addNode({ opType: 'Gemm', name: node.name, inputs: [data, weight, vector], outputs: [output] });
    if (bias !== vector && bias.consumers.size === 0) graph.removeInitializer(bias);
    count++;
  }
  return count;
}

const losesExclusion = ({ opType, name, label }: Node, exclude: ReadonlySet<string>): boolean =>
  exclude.has(opType) || (name === '' && exclude.has(label));

interface BiasedProduct {
  readonly data: Value;
  readonly weight: Value;
  readonly bias: Value;
  readonly tensor: Tensor;
  readonly add: Node;
  readonly output: Value;
}

function biasedProduct(
  node: Node,
  types: ReadonlyMap<Value, ValueType>,
  outputs: ReadonlySet<Value>,
): BiasedProduct | null {
  if (!node.is('MatMul')) return null;
  const [data, weight] = node.inputs;
  const product = node.outputs[0];
  if (data == null || weight?.tensor?.dtype !== 'float32' || weight.tensor.shape.length !== 2) return null;
  if (product == null || outputs.has(product) || product.consumers.size !== 1) return null;
  const type = data.type ?? types.get(data);
  if (type?.kind !== 'tensor' || type.shape?.length !== 2) return null;
  const [add] = product.consumers;
  const output = add?.outputs[0];
  if (add === undefined || !add.is('Add') || output == null) return null;
  const bias = add.inputs.find((input) => input !== product);
  const tensor = bias?.tensor;
  const columns = weight.tensor.shape[1];
  // A bias of one row for all: its elements are the columns, with nothing but ones before.
  if (bias == null || tensor?.dtype !== 'float32' || tensor.size !== columns) return null;
  if (tensor.shape.at(-1) !== columns || tensor.shape.length > 2) return null;
  return { data, weight, bias, tensor, add, output };
}
