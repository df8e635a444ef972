"""Converts DataHub's old usage records to the time series that replaced them."""

from __future__ import annotations

from datahub.metadata.schema_classes import (
    DatasetFieldUsageCountsClass,
    DatasetUsageStatisticsClass,
    DatasetUserUsageCountsClass,
    TimeWindowSizeClass,
    UsageAggregationClass,
)


def usage_statistics(record: UsageAggregationClass) -> DatasetUsageStatisticsClass:
    """Convert one bucket of usage of a dataset. Users without a URN count only in the number of users."""
    metrics = record.metrics
    return DatasetUsageStatisticsClass(
        timestampMillis=record.bucket,
        eventGranularity=TimeWindowSizeClass(unit=str(record.duration)),
        uniqueUserCount=metrics.uniqueUserCount,
        totalSqlQueries=metrics.totalSqlQueries,
        topSqlQueries=metrics.topSqlQueries,
        userCounts=[
            DatasetUserUsageCountsClass(user=user.user, count=user.count, userEmail=user.userEmail)
            for user in metrics.users or []
            if user.user is not None
        ],
        fieldCounts=[
            DatasetFieldUsageCountsClass(fieldPath=field.fieldName, count=field.count)
            for field in metrics.fields or []
        ],
    )
