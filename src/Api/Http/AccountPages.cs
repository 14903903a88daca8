using System.Security.Cryptography;
using System.Text;

namespace FogCompute.Api.Http;

/// <summary>
/// The two pages that a control plane needs without any panel: <c>/setup</c> makes the first admin, <c>/reset-password</c> chooses a new password.
/// Each is one form that posts JSON to the API; the token stays in the page and goes to nobody else.
/// </summary>
internal static class AccountPages
{
    // One script for both: fields in, JSON out, the problem document's words on screen.
    private const string Script = """
        const form = document.querySelector('form'), say = document.querySelector('output');
        const token = new URLSearchParams(location.search).get('token') ?? '';
        history.replaceState(null, '', location.pathname);
        form.addEventListener('submit', async event => {
          event.preventDefault();
          const button = form.querySelector('button');
          button.disabled = true;
          say.textContent = '…';
          try {
            const answer = await fetch(form.dataset.to, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ token, ...Object.fromEntries(new FormData(form)) }) });
            const body = await answer.json();
            if (answer.ok) { form.hidden = true; say.textContent = form.dataset.done; return; }
            say.textContent = body.errors ? Object.entries(body.errors).map(([field, why]) => field + ': ' + why.join(' ')).join('\n') : body.detail;
          } catch (error) { say.textContent = 'The control plane does not answer: ' + error.message; }
          button.disabled = false;
        });
        """;

    private const string Style = "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem}label{display:block;margin:1rem 0}"
        + "input{display:block;width:100%;box-sizing:border-box;font:inherit;padding:.5rem}button{font:inherit;padding:.5rem 1.5rem}output{display:block;margin-top:1rem;white-space:pre-line}";

    private static readonly string Policy =
        $"default-src 'none'; script-src 'sha256-{Hash(Script)}'; style-src 'sha256-{Hash(Style)}'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

    private static readonly string SetUp = Page("Set up FogCompute", "The first admin of this control plane. The link works once.", "/api/auth/setup",
        "Done. Log in with: fog login", "Create the admin",
        $"""
        <label>User name<input name="username" autocomplete="username" pattern="[a-z0-9_.\-]+" maxlength="64" title="a–z, 0–9, dash, underscore and dot" required autofocus></label>
        <label>E-mail address<input name="email" type="email" autocomplete="email" required></label>
        <label>Password, at least 8 characters{NewPassword("password")}</label>
        """);

    private static readonly string Reset = Page("A new password", "All sessions end when you change it. The link works once.", "/api/auth/reset-password/confirm",
        "Done. Log in with the new password.", "Change the password", $"<label>New password, at least 8 characters{NewPassword("new_password")}</label>");

    private static string NewPassword(string field) => $"""<input name="{field}" type="password" autocomplete="new-password" minlength="8" maxlength="128" required>""";

    public static void MapAccountPages(this WebApplication app)
    {
        Map(app, "/setup", SetUp);
        Map(app, "/reset-password", Reset);
    }

    private static void Map(WebApplication app, string path, string page) => app.MapGet(path, (HttpResponse response) =>
    {
        response.Headers.ContentSecurityPolicy = Policy;
        response.Headers.CacheControl = "no-store";
        response.Headers["Referrer-Policy"] = "no-referrer";
        return Results.Content(page, "text/html; charset=utf-8");
    }).ExcludeFromDescription();

    private static string Page(string title, string text, string to, string done, string button, string fields) => $"""
        <!DOCTYPE html>
        <html lang="en">
        <head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{Style}</style></head>
        <body>
        <h1>{title}</h1>
        <p>{text}</p>
        <form data-to="{to}" data-done="{done}">
        {fields}
        <button>{button}</button>
        </form>
        <output role="status"></output>
        <script>{Script}</script>
        </body>
        </html>
        """;

    private static string Hash(string text) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
