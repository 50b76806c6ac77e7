/** The form in front of everything. */
import { useSubmit } from "./form.js";
import { rest } from "./rest.js";

export function Login({ onLogin, note }: { onLogin: (user: string) => void; note?: string | undefined }) {
  const { onSubmit, problem = note, isBusy } = useSubmit(async (fields) => {
    const user = String(fields.get("user"));
    await rest.login(user, String(fields.get("password")));
    onLogin(user);
  });
  return (
    <main className="login">
      <h1>Campaigns</h1>
      <form onSubmit={onSubmit} aria-label="Log in">
        <label>
          Name
          <input name="user" autoComplete="username" required autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button type="submit" disabled={isBusy}>
          {isBusy ? "Logging in…" : "Log in"}
        </button>
        {problem !== undefined && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </form>
    </main>
  );
}
