/** The sign-in page's part for Google, LinkedIn and other issuers: buttons, and what a browser that comes back still needs. */
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api";
import type { ProofMethod, SessionAnswer } from "../api";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { issuersApi, readReturned, wordsFor } from "./issuerCalls";
import type { IssuerButton } from "./issuerCalls";
import { useForm } from "./useForm";
import "./issuers.css";

interface IssuersProps {
  readonly onDone: (session: SessionAnswer) => void;
  /** Takes over a sign-in that waits for a second factor. */
  readonly onChallenge: (challenge: string, methods: readonly ProofMethod[]) => void;
  readonly go?: (url: string) => void;
}

const leave = (url: string): void => window.location.assign(url);

export function Issuers({ onDone, onChallenge, go = leave }: IssuersProps) {
  const [returned] = useState(() => readReturned(window.location.hash));
  const [issuers, setIssuers] = useState<readonly IssuerButton[]>([]);
  const [problem, setProblem] = useState(returned.error === "" ? "" : wordsFor(returned.error));
  const [going, setGoing] = useState("");
  const handed = useRef(false);
  useEffect(() => {
    // What came back is good once: a reload must not show it again, nor the history keep it.
    if (window.location.hash !== "") window.history.replaceState(null, "", window.location.pathname);
    if (returned.challenge === "" || handed.current) return;
    handed.current = true;
    onChallenge(returned.challenge, returned.methods);
  }, [onChallenge, returned]);
  useEffect(() => {
    // Without the buttons the password still signs in.
    issuersApi.list().then((answer) => setIssuers(answer.issuers), () => undefined);
  }, []);
  const begin = async (slug: string): Promise<void> => {
    setGoing(slug);
    setProblem("");
    try {
      go((await issuersApi.begin(slug)).url);
    } catch (refusal) {
      setProblem(refusal instanceof ApiError ? refusal.message : wordsFor(""));
      setGoing("");
    }
  };
  const name = issuers.find((one) => one.slug === returned.issuer)?.name ?? "account";
  if (returned.link !== "") return <LinkForm token={returned.link} name={name} onDone={onDone} onFactor={onChallenge} />;
  return (
    <>
      {problem !== "" && <p className="form-problem" role="alert">{problem}</p>}
      {issuers.length > 0 && (
        <div className="issuers" role="group" aria-label="Other ways to sign in">
          <p className="issuers-or"><span>or</span></p>
          {issuers.map((one) => (
            <Button key={one.slug} busy={going === one.slug} disabled={going !== ""} onClick={() => void begin(one.slug)}>Continue with {one.name}</Button>
          ))}
        </div>
      )}
    </>
  );
}

interface LinkFormProps {
  readonly token: string;
  readonly name: string;
  readonly onDone: (session: SessionAnswer) => void;
  readonly onFactor: (challenge: string, methods: readonly ProofMethod[]) => void;
}

function LinkForm({ token, name, onDone, onFactor }: LinkFormProps) {
  const [password, setPassword] = useState("");
  const form = useForm(["password"], async () => {
    try {
      onDone(await issuersApi.link(token, password));
    } catch (refusal) {
      if (!(refusal instanceof ApiError) || refusal.challenge === null) throw refusal;
      onFactor(refusal.challenge, refusal.methods);
    }
  });
  return (
    <form className="form issuers-more" aria-label="Link your account" onSubmit={form.onSubmit}>
      <p>There is an account with your address already. Enter its password once: from then on your {name} sign-in opens it.</p>
      <TextField label="Password of your account here" type="password" name="link-password" autoComplete="current-password" required value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
      {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
      <Button type="submit" look="primary" busy={form.busy}>Link and sign in</Button>
    </form>
  );
}
