using FogCompute.Api.Http;
using FogCompute.Application;
using FogCompute.Infrastructure.Health;
using FogCompute.Infrastructure.Identity;

var builder = WebApplication.CreateBuilder(args);
var server = ServerOptions.Read(builder.Configuration);
builder.AddHttp(server);
builder.Services.AddApplication().AddIdentity().AddHealth(server.RedisUrl is not null);
var app = builder.Build();
app.UseHttp();
await app.RunAsync();
