/**
 * WAVE files as mono samples. Format: RIFF chunks; `fmt ` with PCM of 8 to 32 bits, floats of 32 or 64, or the extensible form
 * of either; `data`. Sizes are checked before use, and a `data` chunk that is cut short is an error.
 */
import { HoneError } from '../protocol/errors.ts';

export interface Wave {
  /** Hertz. */
  readonly sampleRate: number;
  /** Mean of the channels, -1..1. */
  readonly samples: Float32Array;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/** Throws `data-unreadable`. */
export function parseWave(bytes: Buffer, name: string): Wave {
  const fail = (reason: string, offset: number): HoneError =>
    new HoneError('data-unreadable', `${name} is no readable WAVE file: ${reason}.`, { where: { file: name, offset } });
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw fail('it does not begin like one', 0);
  }
  let format: Format | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const id = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = at + 8;
    if (body + size > bytes.length) throw fail(`the chunk '${id}' ends after the file`, at);
    if (id === 'fmt ') {
      if (size < 16) throw fail('its format chunk is too short', at);
      format = readFormat(bytes, body, size);
    } else if (id === 'data') {
      if (format === null) throw fail('its data comes before its format', at);
      const read = readerOf(format);
      const { channels, sampleRate, blockBytes } = format;
      if (read === null || channels === 0 || sampleRate === 0 || blockBytes !== (channels * format.bits) / 8) {
        throw fail(
          `its encoding (code ${format.code}, ${format.bits} bits, ${channels} channels) is not one that Hone reads`,
          at,
        );
      }
      return { sampleRate, samples: mixDown(bytes.subarray(body, body + size), format, read) };
    }
    // Chunks begin at even offsets.
    at = body + size + (size % 2);
  }
  throw fail('it has no data', bytes.length);
}

interface Format {
  readonly code: number;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of one sample of all channels. */
  readonly blockBytes: number;
  readonly bits: number;
}

function readFormat(bytes: Buffer, at: number, size: number): Format {
  const code = bytes.readUInt16LE(at);
  return {
    // The extensible form keeps the code in the first bytes of a GUID.
    code: code === EXTENSIBLE && size >= 26 ? bytes.readUInt16LE(at + 24) : code,
    channels: bytes.readUInt16LE(at + 2),
    sampleRate: bytes.readUInt32LE(at + 4),
    blockBytes: bytes.readUInt16LE(at + 12),
    bits: bytes.readUInt16LE(at + 14),
  };
}

function readerOf({ code, bits }: Format): ((bytes: Buffer, at: number) => number) | null {
  if (code === FLOAT && bits === 32) return (bytes, at) => bytes.readFloatLE(at);
  if (code === FLOAT && bits === 64) return (bytes, at) => bytes.readDoubleLE(at);
  if (code !== PCM) return null;
  // Eight bits are unsigned, all else is signed.
  if (bits === 8) return (bytes, at) => ((bytes[at] as number) - 128) / 128;
  if (bits !== 16 && bits !== 24 && bits !== 32) return null;
  const scale = 2 ** (bits - 1);
  return (bytes, at) => bytes.readIntLE(at, bits / 8) / scale;
}

function mixDown(
  data: Buffer,
  { channels, blockBytes, bits }: Format,
  read: (bytes: Buffer, at: number) => number,
): Float32Array {
  const samples = new Float32Array(Math.floor(data.length / blockBytes));
  for (let index = 0; index < samples.length; index++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(data, index * blockBytes + (channel * bits) / 8);
    samples[index] = sum / channels;
  }
  return samples;
}

/** Zero crossings of the windowed sinc on each side. */
const CROSSINGS = 16;

/** Another sample rate, by a Hann-windowed sinc that cuts at the lower of the two Nyquist frequencies. */
export function resample({ sampleRate, samples }: Wave, to: number): Float32Array {
  if (sampleRate === to) return samples;
  const ratio = sampleRate / to;
  const cutoff = Math.min(1, 1 / ratio);
  const reach = CROSSINGS / cutoff;
  const result = new Float32Array(Math.round(samples.length / ratio));
  for (let index = 0; index < result.length; index++) {
    const center = index * ratio;
    let sum = 0;
    let weights = 0;
    for (
      let from = Math.max(0, Math.ceil(center - reach));
      from <= Math.min(samples.length - 1, center + reach);
      from++
    ) {
      const distance = from - center;
      const x = Math.PI * cutoff * distance;
      const weight = (x === 0 ? 1 : Math.sin(x) / x) * (0.5 + 0.5 * Math.cos((Math.PI * distance) / reach));
      sum += weight * (samples[from] as number);
      weights += weight;
    }
    result[index] = weights === 0 ? 0 : sum / weights;
  }
  return result;
}
