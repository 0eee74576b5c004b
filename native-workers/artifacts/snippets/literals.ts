/** Text of models in source code: names come from the model file, so they may hold anything. */

/** Not printable, or made to mislead a reader: controls, direction marks, line separators. */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A string literal of Swift with exactly this text; half a surrogate pair, which Swift cannot hold, becomes U+FFFD. */
export function swiftString(text: string): string {
  const escaped = text
    .toWellFormed()
    .replace(/[\\"]/g, '\\$&')
    .replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return `"${escaped}"`;
}

/** A string literal of Kotlin, where a dollar sign begins a template. */
export function kotlinString(text: string): string {
  const escaped = text
    .replace(/[\\"$]/g, '\\$&')
    .replace(INVISIBLE, (char) =>
      Array.from(
        { length: char.length },
        (_, unit) => `\\u${char.charCodeAt(unit).toString(16).padStart(4, '0')}`,
      ).join(''),
    );
  return `"${escaped}"`;
}

/** Text within a line comment. */
export function inComment(text: string): string {
  return text.replace(INVISIBLE, '\ufffd');
}

/** A number of Swift or Kotlin; one below zero in parentheses, so that no operator runs into its sign. */
export function numberLiteral(value: number, suffix = ''): string {
  const text = `${value}${suffix}`;
  return value < 0 ? `(${text})` : text;
}
