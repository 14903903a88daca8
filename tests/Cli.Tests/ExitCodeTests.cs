namespace FogCompute.Cli.Tests;

[TestFixture]
internal sealed class ExitCodeTests : CliFixture
{
    [Test]
    public async Task Ends_with_3_and_says_where_to_look_when_the_job_is_unknown()
    {
        Plane.On("GET", JobRoute, Problem(404, "scheduler.job_not_found", "There is no such job."), 404);
        var ran = await RunAsync("job", "show", JobId);
        Assert.That(ran.ExitCode, Is.EqualTo(3));
        Assert.That(ran.Out, Is.Empty);
        Assert.That(ran.Error, Does.Contain("There is no such job.").And.Contain("scheduler.job_not_found").And.Contain("fog job list"));
    }

    [TestCase(401), TestCase(403)]
    public async Task Ends_with_4_when_the_server_does_not_accept_the_caller(int status)
    {
        Plane.On("GET", "/api/tokenomics/balance", Problem(status, "identity.refused", "Not you."), status);
        var ran = await RunAsync("ledger");
        Assert.That(ran.ExitCode, Is.EqualTo(4));
        Assert.That(ran.Error, Does.Contain("Not you.").And.Contain("--token"));
    }

    [Test]
    public async Task Ends_with_5_when_the_state_does_not_allow_it()
    {
        Plane.On("PATCH", JobRoute, Problem(409, "scheduler.job_over", "The job is over."), 409);
        var ran = await RunAsync("job", "pause", JobId);
        Assert.That(ran.ExitCode, Is.EqualTo(5));
        Assert.That(ran.Error, Does.Contain("The job is over."));
    }

    [TestCase("failed"), TestCase("cancelled")]
    public async Task Ends_with_6_when_the_followed_job_did_not_complete(string status)
    {
        Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201)
            .On("GET", JobRoute, Job(status, ""","attempts":[{"taskIndex":0,"device":"ada","state":"rejected","reason":"exit_code","message":"It ended with exit code 3."}]"""))
            .On("GET", JobRoute + "/logs", Stream("event: end\ndata: {\"status\":\"failed\"}\n\n"));
        var ran = await RunAsync("run", "--follow", "--", "false");
        Assert.That(ran.ExitCode, Is.EqualTo(6));
        Assert.That(ran.Error, Does.Contain(status).And.Contain("It ended with exit code 3."));
    }

    [Test]
    public async Task Ends_with_7_when_the_job_outlasts_the_wait()
    {
        Plane.On("POST", "/api/scheduler/jobs", $$"""{"success":true,"jobId":"{{JobId}}","status":"pending","sla":"bronze"}""", 201)
            .On("GET", JobRoute, Job("running"))
            .On("GET", JobRoute + "/logs", Stream(""));
        var ran = await RunAsync("run", "--follow", "--timeout", "0.6", "--", "sleep", "1000");
        Assert.That(ran.ExitCode, Is.EqualTo(7));
        Assert.That(ran.Error, Does.Contain("goes on without you").And.Contain($"fog job cancel {JobId}"));
    }

    [Test]
    public async Task Ends_with_8_when_nobody_listens()
    {
        var port = Processes.LocalPool.FreePort();
        var ran = await RunAsync("--server", $"http://127.0.0.1:{port}", "job", "list");
        Assert.That(ran.ExitCode, Is.EqualTo(8));
        Assert.That(ran.Error, Does.Contain("No control plane answers").And.Contain("fog up"));
    }

    [Test]
    public async Task Ends_with_8_when_a_part_of_the_server_is_down()
    {
        Plane.On("GET", "/api/scheduler/jobs", Problem(503, "platform.database_down", "The database does not answer."), 503);
        Assert.That((await RunAsync("job", "list")).ExitCode, Is.EqualTo(8));
    }

    [Test]
    public async Task Ends_with_1_and_names_every_field_the_server_refused()
    {
        Plane.On("POST", "/api/scheduler/jobs", Problem(422, "platform.invalid", "The job has mistakes.",
            ""","errors":{"cpu_required":["Must be at least 0.1."],"array.count":["Must be at most 100000.","Must be a number."]}"""), 422);
        var ran = await RunAsync("run", "--", "true");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("cpu_required: Must be at least 0.1.").And.Contain("array.count: Must be at most 100000.").And.Contain("array.count: Must be a number."));
    }

    [Test]
    public async Task Says_so_when_something_else_answers_at_the_address()
    {
        Plane.On("GET", "/api/scheduler/jobs", async context => await context.Response.Body.WriteAsync("<html>hi</html>"u8.ToArray()));
        var ran = await RunAsync("job", "list");
        Assert.That(ran.ExitCode, Is.EqualTo(1));
        Assert.That(ran.Error, Does.Contain("not a FogCompute control plane"));
    }

    private static Func<Microsoft.AspNetCore.Http.HttpContext, Task> Stream(string events) => async context =>
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(events));
    };
}
