/** Messages between a check and the process that holds the artifact's runtime. Tensors of single samples cross here, in bounds. */
import type { ArtifactSignature } from '../artifacts/target.ts';
import type { Feeds } from '../lib/engine.ts';
import type { ErrorData } from '../protocol/errors.ts';

export type ArtifactRequest =
  | { readonly type: 'open'; readonly module: string; readonly path: string; readonly signature: ArtifactSignature }
  | { readonly type: 'run'; readonly feeds: Feeds };

export type ArtifactReply =
  | { readonly type: 'opened'; readonly runtime: string }
  | { readonly type: 'outputs'; readonly outputs: Feeds }
  | { readonly type: 'failed'; readonly error: ErrorData }
  | { readonly type: 'log'; readonly line: string };
