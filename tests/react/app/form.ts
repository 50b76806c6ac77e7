/** Sends the fields of a form, and keeps what came of it. */
import { useState, type FormEvent } from "react";

export function useSubmit(send: (fields: FormData) => Promise<void>) {
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setBusy(true);
    const sent = send(new FormData(event.currentTarget));
    sent.then(() => setProblem(undefined), (error: Error) => setProblem(error.message)).finally(() => setBusy(false));
  };
  return { onSubmit, problem, isBusy };
}
