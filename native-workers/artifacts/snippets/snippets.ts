/**
 * Code that runs exactly this artifact: its names, shapes, normalisation and labels, in Swift and in Kotlin. No phone is here to
 * run it. While it was written, examples for pictures, texts, several outputs, quantized ends and hostile names were compiled by
 * kotlinc 2.1.0 against the Java API of ONNX Runtime 1.20 and against the signatures of LiteRT's CompiledModel, and the Swift was
 * parsed with the grammar of tree-sitter-swift 0.7.4 and held against the headers of the APIs by eye.
 */
import { coremlSwift } from './coreml.ts';
import { ortKotlin, ortSwift } from './ort.ts';
import { tfliteKotlin, tfliteSwift } from './tflite.ts';
import type { SnippetRequest } from './values.ts';

export interface Snippet {
  readonly file: string;
  readonly text: string;
}

/** One file a language; Kotlin is left out for Core ML, which Android does not have. */
export function snippetsFor(request: SnippetRequest): Snippet[] {
  if (request.target === 'coreml') return [{ file: 'Example.swift', text: coremlSwift(request) }];
  const [swift, kotlin] = request.target === 'tflite' ? [tfliteSwift, tfliteKotlin] : [ortSwift, ortKotlin];
  return [
    { file: 'Example.swift', text: swift(request) },
    { file: 'Example.kt', text: kotlin(request) },
  ];
}
