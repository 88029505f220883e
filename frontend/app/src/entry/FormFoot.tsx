/** The end of a form: what is wrong with it as a whole, how long to wait, and the button that sends it. */
import { Button } from "../ui/basics";
import { inWords, type useForm } from "./useForm";

interface FormFootProps {
  readonly form: ReturnType<typeof useForm>;
  readonly label: string;
  readonly look?: "primary" | "quiet" | "danger";
}

export function FormFoot({ form, label, look = "primary" }: FormFootProps) {
  return (
    <>
      {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
      <Button type="submit" look={look} busy={form.busy} disabled={form.wait_s > 0}>
        {form.wait_s > 0 ? `Try again in ${inWords(form.wait_s)}` : label}
      </Button>
    </>
  );
}
