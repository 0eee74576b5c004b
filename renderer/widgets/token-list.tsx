/** A text as the model reads it: its tokens in order, each with its number; what only fills the text up is counted. */
import type { TokenPreview } from '../../native-workers/protocol/preview.ts';
import { visible } from '../../native-workers/report/text.ts';
import { DATA } from '../text/new-run.ts';

export interface TokenListProps {
  readonly label: string;
  readonly tokens: readonly TokenPreview[];
  /** Tokens of the text, those past `tokens` included. */
  readonly total: number;
}

export function TokenList({ label, tokens, total }: TokenListProps) {
  const read = tokens.slice(0, tokens.findLastIndex(({ masked }) => !masked) + 1);
  const rest = total - read.length;
  return (
    <ol className="tokens" aria-label={label}>
      {read.map(({ id, text, masked }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a token is told from its like by its place alone
        <li key={at} className={masked ? 'token token-masked' : 'token'}>
          <span className="token-text">{text === null ? DATA.unknownToken : shown(text)}</span>
          <span className="token-id">{id}</span>
        </li>
      ))}
      {rest === 0 ? null : (
        <li className="token-rest">{tokens.length < total ? DATA.moreTokens(rest) : DATA.filledUp(rest)}</li>
      )}
    </ol>
  );
}

/** Spaces and line ends are parts of tokens, and are seen. */
function shown(text: string): string {
  return visible(text.replaceAll(' ', '\u2423').replaceAll('\n', '\u21b5').replaceAll('\t', '\u21e5'));
}
