// urql with what is deferred: the answers it shows, one after the other.
import { Client, fetchExchange } from "@urql/core";
import { authorization, operations } from "./session.mjs";

const [, , url, email, password] = process.argv;
const connect = (token) =>
  new Client({ url, preferGetMethod: false, fetchOptions: { headers: authorization(token) }, exchanges: [fetchExchange] });
const done = async (result) => {
  const { data, error } = await result.toPromise();
  if (error) throw error;
  return data;
};
const { login } = await done(connect(null).mutation(operations.Login, { input: { email, password } }));
const client = connect(login.token);
await done(client.mutation(operations.AddRule, { weight: 40 }));
const query = "query Later { rules { eventType ... @defer { weight } } ... @defer { me { email } } }";
const shown = [];
await new Promise((resolve, reject) => {
  client.query(query, {}).subscribe(({ data, error, hasNext }) => {
    if (error) return reject(error);
    shown.push(JSON.parse(JSON.stringify(data)));
    if (!hasNext) resolve();
  });
});
console.log(JSON.stringify(shown));
