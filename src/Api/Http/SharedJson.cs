using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using FogCompute.Application;
using Microsoft.AspNetCore.Mvc.Formatters;

namespace FogCompute.Api.Http;

/// <summary>
/// Writes answers that several askers share (<see cref="Application.Common.Messaging.CollapsedAttribute"/>): the answer is one instance for all of them, and so are its bytes, which are
/// made when the first is written and gone with the instance.
/// </summary>
internal sealed class SharedJson : TextOutputFormatter
{
    private static readonly IReadOnlySet<Type> Shared = DependencyInjection.SharedResults(typeof(DependencyInjection).Assembly);

    private readonly ConditionalWeakTable<object, Lazy<byte[]>> _bytes = [];

    public SharedJson()
    {
        SupportedEncodings.Add(Encoding.UTF8);
        SupportedMediaTypes.Add("application/json");
    }

    protected override bool CanWriteType(Type? type) => type is not null && Shared.Contains(type);

    public override Task WriteResponseBodyAsync(OutputFormatterWriteContext context, Encoding selectedEncoding)
    {
        var bytes = _bytes.GetValue(context.Object!, static answer => new Lazy<byte[]>(() => JsonSerializer.SerializeToUtf8Bytes(answer, answer.GetType(), JsonSetup.Responses))).Value;
        var response = context.HttpContext.Response;
        response.ContentLength = bytes.Length;
        return response.Body.WriteAsync(bytes, context.HttpContext.RequestAborted).AsTask();
    }
}
