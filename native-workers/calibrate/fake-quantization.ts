/**
 * One session for all quantization candidates: the float model with every activation and weight that could be quantized
 * followed by x + on * (Q(x) - x), where scales, zero points and the switches are graph inputs. Trying another range, another
 * layer or another subset of layers needs no new session (compression.md 4.3: 7 ms against 4 ms for the plain graph).
 */
import { cloneModel } from '../graph/clone.ts';
import type { Graph } from '../graph/graph.ts';
import type { Model } from '../graph/model.ts';
import type { Node } from '../graph/node.ts';
import { tensorFromFloat32 } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Feeds, HostTensor, Session } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { OpenModel } from './observation.ts';
import { quantizationDomain } from './quantization-domain.ts';
import type { QuantizationParameters, QuantizedType } from './quantization-parameters.ts';

/** What can be switched, in terms of the float model. */
export interface FakeQuantizationPlan {
  readonly values: readonly {
    readonly value: Value;
    /** The value whose parameters it takes. */
    readonly source: Value;
    readonly readers: readonly Node[];
    /** Whether a graph output of that value is quantized too. */
    readonly outputs: boolean;
  }[];
  readonly weights: readonly {
    readonly node: Node;
    readonly weight: Value;
    /** Q(W) - W, in the layout of the weight. */
    readonly change: Float32Array;
  }[];
  readonly type: QuantizedType;
}

/** One candidate: which sources and which nodes' weights are quantized, and how. */
export interface FakeQuantizationSetting {
  readonly parameters: ReadonlyMap<Value, QuantizationParameters>;
  readonly values: ReadonlySet<Value>;
  readonly weights: ReadonlySet<Node>;
}

const PREFIX = 'hone.fake';

export class FakeQuantization {
  readonly #session: Session;
  readonly #plan: FakeQuantizationPlan;
  readonly #sources: readonly Value[];
  readonly #domainType: QuantizedType;

  private constructor(session: Session, plan: FakeQuantizationPlan, sources: readonly Value[]) {
    this.#session = session;
    this.#plan = plan;
    this.#sources = sources;
    this.#domainType = plan.type;
  }

  static async open(model: Model, plan: FakeQuantizationPlan, open: OpenModel): Promise<FakeQuantization> {
    const clone = cloneModel(model);
    const { graph } = clone.model;
    const domain = quantizationDomain(clone.model, plan.type);
    const sources = [...new Set(plan.values.map(({ source }) => source))];
    const controls = sources.map((_, index) => ({
      scale: graph.addInput(`${PREFIX}.scale.${index}`, tensorType('float32', [])),
      zeroPoint: graph.addInput(`${PREFIX}.zero.${index}`, tensorType(plan.type, [])),
      on: graph.addInput(`${PREFIX}.value.${index}`, tensorType('float32', [])),
    }));
    for (const item of plan.values) {
      const value = of(clone.values, item.value);
      const control = controls[sources.indexOf(item.source)];
      if (control === undefined) continue;
      const parameters = [control.scale, control.zeroPoint];
      const codes = add(graph, 'QuantizeLinear', [value, ...parameters], domain);
      const restored = add(graph, 'DequantizeLinear', [codes, ...parameters], domain);
      const change = add(graph, 'Mul', [add(graph, 'Sub', [restored, value]), control.on]);
      const mixed = add(graph, 'Add', [value, change]);
      for (const reader of item.readers) {
        const node = of(clone.nodes, reader);
        node.inputs.forEach((input, index) => {
          if (input === value) node.setInput(index, mixed);
        });
      }
      const output = graph.outputs.indexOf(value);
      if (item.outputs && output >= 0) {
        const name = value.name;
        value.name = graph.uniqueName(`${name}_float`);
        mixed.name = name;
        mixed.type = value.type;
        graph.outputs[output] = mixed;
      }
    }
    plan.weights.forEach(({ node, weight, change }, index) => {
      const copy = of(clone.nodes, node);
      const value = of(clone.values, weight);
      const on = graph.addInput(`${PREFIX}.weight.${index}`, tensorType('float32', []));
      const difference = graph.addInitializer(
        graph.uniqueName(`${weight.name}_change`),
        tensorFromFloat32(change, weight.tensor?.shape ?? []),
      );
      const mixed = add(graph, 'Add', [value, add(graph, 'Mul', [difference, on])]);
      copy.setInput(copy.inputs.indexOf(value), mixed);
    });
    return new FakeQuantization(await open(clone.model), plan, sources);
  }

  /** The outputs of the model for `feeds` under `setting`. */
  run(feeds: Feeds, setting: FakeQuantizationSetting): Promise<Feeds> {
    const all: Record<string, HostTensor> = { ...feeds };
    this.#sources.forEach((source, index) => {
      const parameters = setting.parameters.get(source);
      const on = parameters !== undefined && setting.values.has(source);
      all[`${PREFIX}.scale.${index}`] = scalar(parameters?.scale ?? 1);
      all[`${PREFIX}.zero.${index}`] = {
        dtype: this.#domainType,
        shape: [],
        data: codes(this.#domainType, parameters?.zeroPoint ?? 0),
      };
      all[`${PREFIX}.value.${index}`] = scalar(on ? 1 : 0);
    });
    this.#plan.weights.forEach(({ node }, index) => {
      all[`${PREFIX}.weight.${index}`] = scalar(setting.weights.has(node) ? 1 : 0);
    });
    return this.#session.run(all);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

function add(graph: Graph, opType: string, inputs: readonly Value[], domain = ''): Value {
  const output = graph.createValue(`${PREFIX}.${opType}`);
  graph.addNode({ opType, domain, inputs, outputs: [output] });
  return output;
}

function of<Original extends object>(copies: ReadonlyMap<Original, Original>, original: Original): Original {
  const copy = copies.get(original);
  if (copy === undefined) throw new HoneError('internal', 'A part of the quantization plan is not of the model.');
  return copy;
}

function scalar(value: number): HostTensor {
  return { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

function codes(type: QuantizedType, code: number): HostTensor['data'] {
  if (type === 'uint8') return Uint8Array.of(code);
  if (type === 'int8') return Int8Array.of(code);
  return type === 'uint16' ? Uint16Array.of(code) : Int16Array.of(code);
}
