/** One check of `verify`, and what a list of them says. The shape is that of `reports.verify` in `protocol/studio.ts`. */

export interface VerifyCheck {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'missing';
  readonly detail: string;
}

export interface VerifyResult {
  /** `altered` when a check failed, else `incomplete` when something needed is missing, else `verified`. */
  readonly status: 'verified' | 'altered' | 'incomplete';
  readonly checks: readonly VerifyCheck[];
}

export const passedCheck = (name: string, detail: string): VerifyCheck => ({ name, status: 'passed', detail });
export const failedCheck = (name: string, detail: string): VerifyCheck => ({ name, status: 'failed', detail });
export const missingCheck = (name: string, detail: string): VerifyCheck => ({ name, status: 'missing', detail });

export function resultOf(checks: readonly VerifyCheck[]): VerifyResult {
  const has = (status: VerifyCheck['status']): boolean => checks.some((check) => check.status === status);
  return { status: has('failed') ? 'altered' : has('missing') ? 'incomplete' : 'verified', checks };
}
