/**
 * Formats that Hone recognises to say what they are, and cannot open. Marks are from each format's own documentation or
 * source, named beside it.
 */
import { type Format, hasText } from './format.ts';

const bytesAt = (head: Uint8Array, bytes: readonly number[], offset = 0): boolean =>
  bytes.every((byte, index) => head[offset + index] === byte);

const little64 = (head: Uint8Array): number =>
  head.length < 8 ? Number.NaN : Number(new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true));

export const FOREIGN: readonly Format[] = [
  {
    id: 'ort',
    title: 'ONNX Runtime (.ort)',
    // ort.fbs.
    detect: (head) => hasText(head, 4, 'ORTM'),
    advice: 'An .ort file is a finished package; open the .onnx model that it was made from.',
  },
  {
    id: 'safetensors',
    title: 'safetensors weights',
    // A 64-bit length and then JSON that begins with a brace (huggingface/safetensors README).
    detect: (head, path) =>
      (hasText(head, 8, '{"') && little64(head) < 100_000_000) || path.toLowerCase().endsWith('.safetensors'),
    advice: 'The file holds weights without a graph; export the model to ONNX, for example with Optimum.',
  },
  {
    id: 'gguf',
    title: 'GGUF (llama.cpp)',
    detect: (head) => hasText(head, 0, 'GGUF'),
    advice: 'The file holds weights for llama.cpp without a graph; export the original model to ONNX.',
  },
  {
    id: 'pickle',
    title: 'a Python pickle (old PyTorch)',
    // Protocol 2 to 5: opcode PROTO, the version, and then an opcode; PyTorch before 1.6 wrote these.
    detect: (head) => head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5 && head.length > 2,
    advice: 'Hone never runs pickles; export the model in PyTorch with torch.onnx.export.',
  },
  {
    id: 'zip',
    title: 'a zip archive (PyTorch or a package)',
    detect: (head) => bytesAt(head, [0x50, 0x4b, 0x03, 0x04]) || bytesAt(head, [0x50, 0x4b, 0x05, 0x06]),
    advice: 'Unpack it if a model is inside; a PyTorch model must be exported to ONNX first.',
  },
  {
    id: 'numpy',
    title: 'a NumPy array',
    detect: (head) => bytesAt(head, [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]),
    advice: 'The file holds data and no model; give it as data instead.',
  },
  {
    id: 'coreml',
    title: 'a Core ML model',
    // Specification version, then the description (Model.proto of coremltools): protobuf without a mark, like ONNX.
    detect: (head, path) => path.toLowerCase().endsWith('.mlmodel') && head[0] === 0x08,
    advice: 'Hone writes Core ML and does not open it; open the ONNX model that it was made from.',
  },
  {
    id: 'tensorflow',
    title: 'a frozen TensorFlow graph',
    // GraphDef begins with its nodes (graph.proto of TensorFlow): protobuf without a mark, like ONNX.
    detect: (head, path) => path.toLowerCase().endsWith('.pb') && head[0] === 0x0a,
    advice: 'Convert it with tf2onnx.',
  },
  {
    id: 'gzip',
    title: 'a gzip archive',
    detect: (head) => bytesAt(head, [0x1f, 0x8b]),
    advice: 'Unpack it and open the model inside.',
  },
];

/** Files that are no model, told by their first bytes so that the message can say what they are. */
export const OTHERS: readonly { readonly title: string; detect(head: Uint8Array): boolean }[] = [
  {
    title: 'a picture',
    detect: (head) => bytesAt(head, [0x89, 0x50, 0x4e, 0x47]) || bytesAt(head, [0xff, 0xd8, 0xff]),
  },
  { title: 'a PDF document', detect: (head) => hasText(head, 0, '%PDF') },
  { title: 'a program', detect: (head) => bytesAt(head, [0x7f, 0x45, 0x4c, 0x46]) || hasText(head, 0, 'MZ') },
];

/** Texts that stand in a model's place after a download went wrong, or beside it. */
export const TEXTS: readonly { readonly title: string; readonly advice: string; detect(text: string): boolean }[] = [
  {
    title: 'a pointer of Git LFS, and not the file itself',
    advice: 'Fetch the file with `git lfs pull`.',
    detect: (text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    title: 'a web page',
    advice: 'The download gave a page instead of the file; download the file itself.',
    detect: (text) => /^\s*(<!doctype html|<html|<\?xml[^>]*>\s*<html)/i.test(text),
  },
  {
    title: 'an XML document',
    advice: 'An OpenVINO model must be opened in the ONNX form that it was made from.',
    detect: (text) => /^\s*<(\?xml|net\b)/i.test(text),
  },
  {
    title: 'a JSON document',
    advice: 'Open the model that it belongs to.',
    detect: (text) => /^\s*[[{]/.test(text),
  },
];
