using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Metadata;

namespace FogCompute.Api.Http;

/// <summary>A text of the path arrives as it stands. MVC would make null of one that is all blanks, which no use case expects of an id.</summary>
internal sealed class RouteTexts : IDisplayMetadataProvider
{
    public void CreateDisplayMetadata(DisplayMetadataProviderContext context)
    {
        if (context.Key is { MetadataKind: ModelMetadataKind.Parameter, ParameterInfo: { } parameter } && parameter.ParameterType == typeof(string)
            && !parameter.GetCustomAttributes(inherit: false).OfType<IBindingSourceMetadata>().Any())
            context.DisplayMetadata.ConvertEmptyStringToNull = false;
    }
}
