/** Models that were made in memory, given to the engine: as bytes when they are small, else through a file that is removed. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inferTypes } from '../formats/onnx/infer-types.ts';
import { onnxBytes, onnxSize, writeOnnx } from '../formats/onnx/write.ts';
import type { Model } from '../graph/model.ts';
import type { TensorType, ValueType } from '../graph/types.ts';
import type { Value } from '../graph/value.ts';
import type { Engine, Feeds, Session, SessionOptions } from '../lib/engine.ts';
import { HoneError, toHoneError } from '../protocol/errors.ts';

/** Up to this size the copy in memory is cheaper than a file. */
const IN_MEMORY = 32 << 20;

/** Returns a function that opens models; what it writes goes to `scratch` and is removed when the session is released. */
export function modelOpener(
  engine: Engine,
  scratch: string,
): (model: Model, options?: SessionOptions) => Promise<Session> {
  let number = 0;
  return async (model, options) => {
    if (onnxSize(model) <= IN_MEMORY) return engine.open(onnxBytes(model), options);
    const path = join(scratch, `session-${++number}.onnx`);
    const { files } = await writeOnnx(model, path, { external: 'always' });
    const remove = async (): Promise<void> => {
      await Promise.all(files.map((file) => rm(file, { force: true })));
    };
    try {
      return new OwnedSession(await engine.open(path, options), remove);
    } catch (thrown) {
      await remove();
      throw thrown;
    }
  };
}

/** Returns a function that tells the types of a model's values: inferred where the engine takes the model, else declared. */
export function typesOf(engine: Engine, scratch: string): (model: Model) => Promise<ReadonlyMap<Value, ValueType>> {
  return async (model) => {
    const types = new Map<Value, ValueType>();
    const inferred = await inferTypes(model, engine, scratch).catch((thrown: unknown) => toHoneError(thrown));
    for (const value of model.graph.values()) {
      const found = inferred instanceof HoneError ? undefined : inferred.types.get(value.name);
      const type = known(value.type) ? value.type : (found ?? value.type);
      if (type !== null) types.set(value, type);
    }
    return types;
  };
}

/** Whether a declared type leaves nothing to infer. */
function known(type: ValueType | null): type is TensorType {
  return type?.kind === 'tensor' && type.dtype !== null && type.shape !== null && !type.shape.includes(null);
}

/** A session with the files that it reads from. */
class OwnedSession implements Session {
  readonly #session: Session;
  readonly #remove: () => Promise<void>;

  constructor(session: Session, remove: () => Promise<void>) {
    this.#session = session;
    this.#remove = remove;
  }

  get inputs(): Session['inputs'] {
    return this.#session.inputs;
  }

  get outputs(): Session['outputs'] {
    return this.#session.outputs;
  }

  run(feeds: Feeds, fetches?: readonly string[]): Promise<Feeds> {
    return this.#session.run(feeds, fetches);
  }

  endProfiling(): string {
    const path = this.#session.endProfiling?.();
    if (path === undefined) throw new HoneError('runtime-failed', 'The session wrote no profile.');
    return path;
  }

  async release(): Promise<void> {
    await this.#session.release();
    await this.#remove();
  }
}
