using FogCompute.Application.Scheduler.Contracts;
using FogCompute.Domain.Scheduler;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

// The context is one class; each module adds its port here, beside its mapping.
#pragma warning disable IDE0130 // namespace does not match the folder
namespace FogCompute.Infrastructure.Persistence
{
    public sealed partial class FogDbContext : ISchedulerDb
    {
        public DbSet<Job> Jobs => Set<Job>();
        public DbSet<JobTask> Tasks => Set<JobTask>();
        public DbSet<Attempt> Attempts => Set<Attempt>();
        public DbSet<JobDependency> Dependencies => Set<JobDependency>();
    }
}
#pragma warning restore IDE0130

namespace FogCompute.Infrastructure.Scheduler
{
    internal sealed class JobMapping : IEntityTypeConfiguration<Job>
    {
        public void Configure(EntityTypeBuilder<Job> builder)
        {
            builder.ToTable("jobs", "scheduler").HasKey(j => j.Id);
            builder.Property(j => j.Id).ValueGeneratedNever();
            builder.Property(j => j.Specification).HasColumnType("jsonb");
            builder.Ignore(j => j.Terms).Ignore(j => j.Price).Ignore(j => j.Needs).Ignore(j => j.HoldMicro).Ignore(j => j.EndsBy).Ignore(j => j.TasksLeft).Ignore(j => j.ExpectedRun).Ignore(j => j.TasksUnwritten);
        }
    }

    internal sealed class TaskMapping : IEntityTypeConfiguration<JobTask>
    {
        public void Configure(EntityTypeBuilder<JobTask> builder)
        {
            builder.ToTable("tasks", "scheduler").HasKey(t => new { t.JobId, t.Index });
            builder.Ignore(t => t.Key);
        }
    }

    internal sealed class AttemptMapping : IEntityTypeConfiguration<Attempt>
    {
        public void Configure(EntityTypeBuilder<Attempt> builder)
        {
            builder.ToTable("attempts", "scheduler").HasKey(a => a.Id);
            builder.Property(a => a.Id).ValueGeneratedNever();
            builder.Property(a => a.Output).HasColumnType("jsonb");
            builder.Ignore(a => a.Task);
        }
    }

    internal sealed class DependencyMapping : IEntityTypeConfiguration<JobDependency>
    {
        public void Configure(EntityTypeBuilder<JobDependency> builder)
        {
            builder.ToTable("job_dependencies", "scheduler").HasKey(d => new { d.JobId, d.DependsOn });
            // Named so that a save writes the job before its edges.
            builder.HasOne<Job>().WithMany().HasForeignKey(d => d.JobId);
            builder.HasOne<Job>().WithMany().HasForeignKey(d => d.DependsOn);
        }
    }
}
