-- Lists of tenants show each one's tier, which is in the policies of its lanes: without this, each tenant reads all of them.
create index lane_policy_tenant on lane_policy (tenant);
