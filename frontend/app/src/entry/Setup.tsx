/** The first screen of a new hub: workspace and owner. */
import { useState } from "react";
import { accountApi } from "../api";
import { Link, navigate } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { useForm } from "./useForm";

const BLANK = { workspace: "", name: "", email: "", password: "" };

export function Setup({ token, onDone }: { readonly token: string; readonly onDone: () => Promise<void> }) {
  const [values, setValues] = useState(BLANK);
  const form = useForm(Object.keys(BLANK), async () => {
    await accountApi.setUp({ token, ...values });
    await onDone();
    navigate({ page: "welcome" }, { replace: true });
  });
  const bind = (name: keyof typeof BLANK) => ({
    name, value: values[name], required: true, problem: form.problemOf(name),
    onChange: (event: React.ChangeEvent<HTMLInputElement>) => setValues({ ...values, [name]: event.target.value }),
  });
  if (token === "") {
    return (
      <EntryPage title="Almost there" text="This hub is not set up yet. Open the link that was printed when it started; it ends in a set-up token.">
        <p className="entry-foot">Already set up? <Link to={{ page: "sign-in" }}>Sign in</Link></p>
      </EntryPage>
    );
  }
  return (
    <EntryPage title="Set up your hub" text="One minute, then you can answer your first message.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Workspace" placeholder="Northwind Support" autoComplete="organization" maxLength={100} {...bind("workspace")} />
        <TextField label="Your name" autoComplete="name" maxLength={100} {...bind("name")} />
        <TextField label="E-mail" type="email" autoComplete="username" {...bind("email")} />
        <TextField label="Password" type="password" autoComplete="new-password" help="Three or four words make a good one." {...bind("password")} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Create the workspace</Button>
      </form>
    </EntryPage>
  );
}
