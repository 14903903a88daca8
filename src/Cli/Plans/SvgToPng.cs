using System.ComponentModel;
using System.Diagnostics;
using FogCompute.Cli.Output;

namespace FogCompute.Cli.Plans;

/// <summary>Turns an SVG document into a PNG file with a program that is installed here: rsvg-convert, else Chromium or Chrome.</summary>
public static class SvgToPng
{
    /// <summary>Pixels per unit of the SVG.</summary>
    private const int Scale = 2;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private static readonly string[] Browsers = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

    /// <summary>Writes <paramref name="target"/>. Throws a <see cref="CliException"/> that says what to install when there is no program for it.</summary>
    public static async Task ConvertAsync(SvgPicture svg, string target, CliHost host, CancellationToken cancel)
    {
        var rsvg = Find(host, "rsvg-convert");
        var browser = rsvg is null ? Browsers.Select(name => Find(host, name)).FirstOrDefault(path => path is not null) : null;
        if ((rsvg ?? browser) is not { } program)
        {
            throw new CliException(ExitCodes.Error, "No program that turns SVG into PNG is installed here (looked for rsvg-convert and Chromium on PATH).",
                "Install one: apt-get install librsvg2-bin    (Fedora: dnf install librsvg2-tools, macOS: brew install librsvg). Or take the picture as SVG: fog plan --svg FILE");
        }
        var folder = Directory.CreateTempSubdirectory("fog-plan-");
        try
        {
            var (source, picture) = (Path.Combine(folder.FullName, "front.svg"), Path.Combine(folder.FullName, "front.png"));
            await File.WriteAllTextAsync(source, svg.Text, cancel);
            string[] args = rsvg is not null
                ? ["--zoom", $"{Scale}", "--output", picture, source]
                :
                [
                    "--headless", "--disable-gpu", "--hide-scrollbars", $"--user-data-dir={Path.Combine(folder.FullName, "profile")}",
                    $"--force-device-scale-factor={Scale}", $"--window-size={svg.Width},{svg.Height}", $"--screenshot={picture}",
                    // Chromium's own sandbox does not start as root; what it draws here is our own text.
                    .. Environment.IsPrivilegedProcess ? ["--no-sandbox"] : Array.Empty<string>(),
                    new Uri(source).AbsoluteUri,
                ];
            var said = await RunAsync(program, args, cancel);
            if (!File.Exists(picture))
            {
                throw new CliException(ExitCodes.Error, $"{program} made no picture.", "Take it as SVG: fog plan --svg FILE",
                    [.. said.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(5)]);
            }
            File.Copy(picture, target, overwrite: true);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string? Find(CliHost host, string name) => (host.Variable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name)).FirstOrDefault(File.Exists);

    /// <summary>Runs it to its end; returns what it said on stderr.</summary>
    private static async Task<string> RunAsync(string program, string[] args, CancellationToken cancel)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        bounded.CancelAfter(Limit);
        Process? process = null;
        try
        {
            process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false })!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(bounded.Token), process.StandardError.ReadToEndAsync(bounded.Token));
            await process.WaitForExitAsync(bounded.Token);
            await output;
            return await error;
        }
        catch (Win32Exception error)
        {
            throw new CliException(ExitCodes.Error, $"{program} cannot be started: {error.Message}.", "Take the picture as SVG: fog plan --svg FILE");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new CliException(ExitCodes.Timeout, $"{program} made no picture within {Limit.TotalSeconds:0} s.", "Take it as SVG: fog plan --svg FILE");
        }
        finally
        {
            if (process is { HasExited: false })
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }
            process?.Dispose();
        }
    }
}
