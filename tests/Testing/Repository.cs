namespace FogCompute.Testing;

/// <summary>Files of the repository the tests were built from.</summary>
public static class Repository
{
    public static string Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "FogCompute.sln")))
                return folder.FullName;
        }
        throw new InvalidOperationException($"No FogCompute.sln above {AppContext.BaseDirectory}; run the tests from a checkout.");
    }
}
