-- The core's database, beside the evidence's that the image makes from POSTGRES_DB.
CREATE DATABASE core OWNER banyan;
