/** A sentence in which `code` stands between backticks, as error texts have it. */
export function Words({ text }: { readonly text: string }) {
  // Odd parts stood between backticks. The parts of one sentence never change places, so their place is their key.
  const parts = text.split('`').map((part, place) => ({ part, place }));
  return parts.map(({ part, place }) => (place % 2 === 1 ? <code key={place}>{part}</code> : part));
}
