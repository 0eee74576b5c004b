/** A result, or why there is none. Free of schemas, so that the report view carries none. */
import type { ErrorData } from '../protocol/errors.ts';

/**
 * Not measured (nobody asked, or an earlier stage failed), not applicable (it has no meaning for this model) and failed (it
 * was tried) are different answers, and none of them is a zero.
 */
export type Outcome<Data> =
  | { status: 'measured'; data: Data }
  | { status: 'not-measured'; reason: string }
  | { status: 'not-applicable'; reason: string }
  | { status: 'failed'; error: ErrorData };

export const measured = <Data>(data: Data): Outcome<Data> => ({ status: 'measured', data });
export const notMeasured = (reason: string): Outcome<never> => ({ status: 'not-measured', reason });
export const notApplicable = (reason: string): Outcome<never> => ({ status: 'not-applicable', reason });
export const failed = (error: ErrorData): Outcome<never> => ({ status: 'failed', error });

/** The data of an outcome, or null where there is none. */
export function dataOf<Data>(outcome: Outcome<Data>): Data | null {
  return outcome.status === 'measured' ? outcome.data : null;
}
