# The agent of a lent machine. Context: the repository. DOTNET_REGISTRY: see README.md here.
ARG DOTNET_REGISTRY

FROM ${DOTNET_REGISTRY}/dotnet/sdk:10.0 AS build
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY src src
RUN dotnet publish src/Node/Node.csproj --configuration Release --output /app -p:RunAnalyzers=false

# Not chiselled: jobs see this image's /usr in their sandbox, and bubblewrap makes that sandbox.
FROM ${DOTNET_REGISTRY}/dotnet/runtime:10.0-noble
RUN apt-get update && apt-get install --yes --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/* \
    && install -d -o 1654 -g 1654 -m 0700 /var/lib/fogcompute-node
COPY --from=build /app /app
USER 1654:1654
ENV FOG_NODE_STATE=/var/lib/fogcompute-node FOG_NODE_POLICY=dedicated DOTNET_EnableDiagnostics=0
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["/app/fog-node", "status"]
ENTRYPOINT ["/app/fog-node"]
CMD ["run"]
