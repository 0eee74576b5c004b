/** A node: an operator with its inputs, outputs and attributes. */
import type { Attribute } from './attribute.ts';
import type { Graph } from './graph.ts';
import type { Value } from './value.ts';

export interface NodeInit {
  readonly opType: string;
  readonly domain?: string;
  readonly name?: string;
  /** null stands for an optional input that is left out. */
  readonly inputs?: readonly (Value | null)[];
  readonly outputs?: readonly (Value | null)[];
  readonly attributes?: Iterable<readonly [string, Attribute]>;
}

export class Node {
  opType: string;
  /** '' is ONNX's own domain (`ai.onnx` is read as '' too). */
  domain: string;
  /** May be empty and need not be unique; say `label` in messages. */
  name: string;
  docString = '';
  overload = '';
  readonly attributes: Map<string, Attribute>;
  /** Fields that Hone does not read (device configurations), written back as they were. */
  opaqueFields: Uint8Array | null = null;
  /** The graph that holds the node; set by `Graph.addNode` and `removeNode`. */
  graph: Graph | null = null;
  readonly #inputs: (Value | null)[] = [];
  readonly #outputs: (Value | null)[] = [];
  #metadata: Map<string, string> | null = null;

  constructor(init: NodeInit) {
    this.opType = init.opType;
    this.domain = init.domain ?? '';
    this.name = init.name ?? '';
    this.attributes = new Map(init.attributes ?? []);
    init.inputs?.forEach((value, index) => {
      this.setInput(index, value);
    });
    init.outputs?.forEach((value, index) => {
      this.setOutput(index, value);
    });
  }

  get inputs(): readonly (Value | null)[] {
    return this.#inputs;
  }

  get outputs(): readonly (Value | null)[] {
    return this.#outputs;
  }

  /** `NodeProto.metadata_props`; made when asked for, since few of a graph's many nodes have any. */
  get metadata(): Map<string, string> {
    this.#metadata ??= new Map();
    return this.#metadata;
  }

  get hasMetadata(): boolean {
    return this.#metadata !== null && this.#metadata.size > 0;
  }

  /** How messages name the node: its name, else its operator and first output. */
  get label(): string {
    return this.name !== '' ? this.name : `${this.opType} -> ${this.outputs[0]?.name ?? '(no output)'}`;
  }

  /** True for `opType` of ONNX's own domain. */
  is(...opTypes: string[]): boolean {
    return this.domain === '' && opTypes.includes(this.opType);
  }

  /** Sets one input and keeps the links true; an index past the end extends the list with left-out inputs. */
  setInput(index: number, value: Value | null): void {
    while (this.#inputs.length <= index) this.#inputs.push(null);
    const before = this.#inputs[index] ?? null;
    this.#inputs[index] = value;
    if (before !== null && before !== value && !this.#inputs.includes(before)) before.consumers.delete(this);
    value?.consumers.add(this);
  }

  /** Cuts the inputs to `count`, dropping the rest from their values' consumers. */
  truncateInputs(count: number): void {
    while (this.#inputs.length > count) {
      this.setInput(this.#inputs.length - 1, null);
      this.#inputs.pop();
    }
  }

  setOutput(index: number, value: Value | null): void {
    while (this.#outputs.length <= index) this.#outputs.push(null);
    const before = this.#outputs[index] ?? null;
    if (before !== null && before.producer === this) before.producer = null;
    this.#outputs[index] = value;
    if (value !== null) value.producer = this;
  }

  /** An integer attribute as a number; `fallback` when it is missing. Operators' integers are small: axes, flags, counts. */
  int(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'int' ? Number(attribute.value) : fallback;
  }

  ints(name: string): number[] | null {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'ints' ? Array.from(attribute.value, Number) : null;
  }

  float(name: string, fallback: number): number {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'float' ? attribute.value : fallback;
  }

  floats(name: string): number[] | null {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'floats' ? [...attribute.value] : null;
  }

  strings(name: string): string[] | null {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'strings' ? attribute.value.map((text) => new TextDecoder().decode(text)) : null;
  }

  /** A string attribute decoded as UTF-8. */
  string(name: string, fallback: string): string {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'string' ? new TextDecoder().decode(attribute.value) : fallback;
  }

  /** The subgraphs in this node's attributes (the branches of If, the body of Loop and Scan). */
  *subgraphs(): Iterable<Graph> {
    for (const attribute of this.attributes.values()) {
      if (attribute.type === 'graph') yield attribute.value;
      else if (attribute.type === 'graphs') yield* attribute.value;
    }
  }
}
