// Entry point of fog-node; filled by the agent.
return 0;
