# The control plane. Context: the repository. DOTNET_REGISTRY: see README.md here.
ARG DOTNET_REGISTRY

FROM ${DOTNET_REGISTRY}/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY migrations migrations
COPY src src
RUN dotnet publish src/Api/Api.csproj --configuration Release --output /app -p:RunAnalyzers=false && mkdir -p /empty

# Chiselled: no shell, no package manager, no root.
FROM ${DOTNET_REGISTRY}/dotnet/aspnet:10.0-noble-chiseled
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 --chmod=0700 /empty /var/lib/fogcompute
USER 1654:1654
ENV API_HOST=0.0.0.0 API_PORT=8000 FOG_HOME=/var/lib/fogcompute DOTNET_EnableDiagnostics=0
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --start-interval=2s CMD ["/app/FogCompute.Api", "ready"]
ENTRYPOINT ["/app/FogCompute.Api"]
