/** Sizes of artifacts against the budgets of device profiles (`assets/device-profiles`) and the user's own. */
import { z } from 'zod';
import profilesFile from '../../assets/device-profiles/profiles.json' with { type: 'json' };
import type { Artifact, PackageFacts } from '../protocol/package-facts.ts';

const profilesSchema = z.strictObject({
  schema: z.literal(1),
  profiles: z.array(z.strictObject({ id: z.string(), title: z.string(), budgetBytes: z.number(), why: z.string() })),
});

/** A row for each profile and artifact that was made. `own`: the user's budget in bytes. */
export function fitBudgets(artifacts: readonly Artifact[], own: number | null): PackageFacts['sizes'] {
  const { profiles } = profilesSchema.parse(profilesFile);
  const budgets = profiles.map(({ title, budgetBytes }) => ({ profile: title, budget: budgetBytes }));
  if (own !== null) budgets.push({ profile: 'your budget', budget: own });
  return artifacts
    .filter(({ status, bytes }) => status === 'made' && bytes > 0)
    .flatMap(({ target, bytes }) =>
      budgets.map(({ profile, budget }) => ({ profile, target, bytes, budget, fits: bytes <= budget })),
    );
}
