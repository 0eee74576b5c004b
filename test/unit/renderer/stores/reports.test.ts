import { describe, expect, it } from 'vitest';
import { checkReport } from '../../../../renderer/stores/reports.ts';

describe('checkReport', () => {
  it('tells a newer report from no report', () => {
    expect(() => checkReport({ kind: 'hone-report', schema: 99 })).toThrow(
      expect.objectContaining({ code: 'report-version' }),
    );
    expect(() => checkReport({ kind: 'something' })).toThrow(expect.objectContaining({ code: 'report-invalid' }));
    expect(() => checkReport(null)).toThrow(expect.objectContaining({ code: 'report-invalid' }));
  });
});
