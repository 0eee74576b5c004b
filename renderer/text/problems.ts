/** What a field says when its value cannot be used. */
export const PROBLEMS = {
  number: 'A number is needed here.',
  integer: 'A whole number is needed here.',
  positive: 'Must be more than zero.',
  minimum: (minimum: number) => `Must be ${minimum} or more.`,
  maximum: (maximum: number) => `Must be ${maximum} or less.`,
  choice: (choices: readonly string[]) => `Choose one of ${choices.join(', ')}.`,
  list: 'Separate the items with commas, or write a JSON list.',
  item: (item: string, problem: string) => `“${item}”: ${problem}`,
  pair: 'Give both height and width.',
  json: (reason: string) => `This is not valid JSON: ${reason}`,
  field: (field: string, reason: string) => `${field === '' ? 'The whole' : field}: ${reason}`,
  unknownPass: (pass: string) => `There is no pass “${pass}”.`,
  unknownOption: (pass: string, option: string) => `The pass ${pass} has no option “${option}”.`,
  noModel: 'Choose a model first.',
  noSteps: 'The recipe has no passes. Choose a preset, or add a pass.',
} as const;
