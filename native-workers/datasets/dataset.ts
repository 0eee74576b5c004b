/** What a data set is, whatever its files: samples with names, labels and the tensors that a model takes, batch by batch. */
import type { Batch, Label, ObjectClasses } from '../lib/batch.ts';
import type { Feeds } from '../lib/engine.ts';
import type { Preprocess } from '../protocol/request.ts';

export type DatasetKind = 'images' | 'npz' | 'csv' | 'jsonl' | 'wav' | 'seeded';

/** A remark that belongs into the report: a default that was assumed, a file that was used. */
export interface DatasetNote {
  readonly code: string;
  readonly message: string;
}

export interface SkippedSample {
  readonly sample: string;
  readonly reason: string;
}

export interface BatchOptions {
  /** Most samples to take; all unless said. Chosen with the seed, in the shares of their classes, and kept in order. */
  readonly limit?: number;
  /** 0 unless said. */
  readonly seed?: number;
}

/** How inputs came to their numbers, for who looks at them. */
export interface DatasetReading {
  /** Of a tokenized text. */
  readonly tokens?: {
    readonly ids: string;
    /** The input that is 0 where a text is filled up; null for a model without. */
    readonly mask: string | null;
    /** What the tokenizer calls a token. */
    textOf(id: number): string | null;
    /** The text of these tokens, without those that are no text. */
    decode(ids: readonly number[]): string;
  };
  /** By input: the columns of a table that it is made of, in order. */
  readonly columns?: Readonly<Record<string, readonly string[]>>;
}

/** The label is null where there is none, and where it is read with its picture, as masks are; boxes are those of the whole picture. */
export interface KnownLabel {
  readonly sample: string;
  readonly label: Label;
}

export interface Dataset {
  /** Base name of the file or folder. */
  readonly name: string;
  readonly kind: DatasetKind;
  /** Samples in the data, those that turn out unreadable included. */
  readonly samples: number;
  /** True when samples have labels of any kind. */
  readonly labelled: boolean;
  /** Names of the classes in the order of their indexes; null when the data does not name them. */
  readonly classes: readonly string[] | null;
  /** True when nothing but the sorted names says which class has which index. */
  readonly classesAssumed: boolean;
  /** Where labels are boxes; null for others. */
  readonly objectClasses: ObjectClasses | null;
  /** True when samples have a subgroup. */
  readonly grouped: boolean;
  /** The preprocessing as it is done, defaults filled in; null where there is none. */
  readonly preprocess: Preprocess | null;
  readonly reading: DatasetReading;
  readonly notes: readonly DatasetNote[];
  /** True when the model takes one sample without a batch axis: every batch is then one sample, as it is. */
  readonly batchless: boolean;
  /** Samples that could not be read so far: complete after a walk over all batches. */
  readonly skipped: readonly SkippedSample[];
  /** Hex digest of the content: of the file, or of the paths and contents of a folder in the order of the paths. */
  sha256(): Promise<string>;
  /** Of the samples that `batches` would walk with the same options, without reading them. */
  knownLabels(options?: BatchOptions): Iterable<KnownLabel>;
  /**
   * Walks the samples in their order, at most `batchSize` at a time; can be walked again. One batch is held, and a few
   * decoded pictures ahead. The last batch may be smaller, and a batch ends early where the shape of the samples changes.
   */
  batches(batchSize: number, options?: BatchOptions): AsyncIterable<Batch>;
  close(): Promise<void>;
}

/** One sample as a reader yields it: tensors without the batch axis. */
export interface SampleRow {
  readonly sample: string;
  readonly feeds: Feeds;
  readonly label: Label;
  readonly group: string | null;
}

/** What the reader of one kind of data provides; `makeDataset` turns it into a data set. */
export interface SampleSource {
  readonly name: string;
  readonly kind: DatasetKind;
  readonly count: number;
  readonly labelled: boolean;
  readonly grouped: boolean;
  readonly classes: readonly string[] | null;
  readonly classesAssumed?: boolean;
  readonly objectClasses?: ObjectClasses | null;
  readonly preprocess: Preprocess | null;
  readonly reading?: DatasetReading;
  readonly notes: readonly DatasetNote[];
  readonly batchless?: boolean;
  /** What is known of a sample before it is read. */
  known(index: number): KnownLabel;
  /** Value to fill a shorter sample with, by input; samples of inputs without one are never padded. */
  readonly padding?: Readonly<Record<string, number>>;
  /** The samples at these ascending indexes, in their order; all when null. Unreadable ones are told to `skip` and left out. */
  rows(indexes: readonly number[] | null, skip: (skipped: SkippedSample) => void): AsyncIterable<SampleRow>;
  sha256(): Promise<string>;
  close(): Promise<void>;
}
