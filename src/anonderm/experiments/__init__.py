"""Studies that run stages many times: sweeps, the data-mix study, the audit around a privacy screen."""
