// What the scripts share: the operations, and the order in which each client runs them.
import { readFileSync } from "node:fs";
import { parse, print } from "graphql";

const source = readFileSync(new URL("operations.graphql", import.meta.url), "utf8");

/** The text of each operation, by its name. */
export const operations = Object.fromEntries(
  parse(source).definitions.map((node) => [node.name.value, print(node)]),
);

/** Logs in with `connect(null)`, does the rest with `connect(token)`, and prints what came back.
 *
 * A connection has `run(text, variables)`, which resolves to data or throws, `first(text, variables)`, which
 * resolves to the first message of a subscription, and `close()`. */
export async function session(connect) {
  const [, , url, email, password] = process.argv;
  const anonymous = connect(url, null);
  const { login } = await anonymous.run(operations.Login, { input: { email, password } });
  await anonymous.close();
  const client = connect(url, login.token);
  await client.run(operations.AddRule, { weight: 40 });
  const { rules } = await client.run(operations.Rules, {});
  const pushed = client.first(operations.Scores, { leadId: "ld_1" });
  const { ingestEvents } = await client.run(operations.Ingest, { leadId: "ld_1" });
  console.log(JSON.stringify({ rules, ingested: ingestEvents, pushed: await pushed }));
  await client.close();
}

export const authorization = (token) => (token === null ? {} : { Authorization: `Bearer ${token}` });
