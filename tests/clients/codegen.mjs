// GraphQL Code Generator over the SDL: types of the schema and of every operation, then checked by TypeScript.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codegen } from "@graphql-codegen/core";
import * as typescript from "@graphql-codegen/typescript";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";
import ts from "typescript";

const [, , sdl] = process.argv;
const documents = readFileSync(new URL("operations.graphql", import.meta.url), "utf8");
const generate = (filename, plugin) =>
  codegen({
    filename,
    schema: parse(readFileSync(sdl, "utf8")),
    documents: [{ location: "operations.graphql", document: parse(documents) }],
    config: { scalars: { BigInt: "number" }, defaultScalarType: "string" },
    plugins: [{ plugin: {} }],
    pluginMap: { plugin },
  });
const files = {
  "schema.ts": await generate("schema.ts", typescript),
  "operations.ts": await generate("operations.ts", operations),
  "use.ts": `
    import type { Lead } from "./schema";
    import type { ScoresSubscription, RulesQuery, AddRuleMutationVariables } from "./operations";
    export const level = (lead: Lead): string | null | undefined => lead.engagementLevel;
    export const score = (message: ScoresSubscription): number => message.scoreUpdated.score;
    export const weights = (answer: RulesQuery): number[] => answer.rules.map((rule) => rule.weight);
    export const variables: AddRuleMutationVariables = { weight: 40 };
  `,
};
const folder = mkdtempSync(join(tmpdir(), "leadvibe-"));
try {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const program = ts.createProgram([join(folder, "use.ts")], {
    skipLibCheck: true,
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2022.d.ts"],
    types: [],
  });
  const problems = ts.getPreEmitDiagnostics(program).map((each) => ts.flattenDiagnosticMessageText(each.messageText, " "));
  const types = Object.values(files).flatMap((text) => text.match(/^export (type|enum) \w+/gm) ?? []);
  console.log(JSON.stringify({ problems, types }));
} finally {
  rmSync(folder, { recursive: true });
}
